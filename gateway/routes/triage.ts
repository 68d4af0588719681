import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Act, TriageRefusal } from '../triage/triage.ts'
import { triageSchema, viewOf } from './alerts.ts'
import { type RouteDeps, sendProblem, whoIs } from './route.ts'
import { idSchema, objectSchema, textSchema, wordSchema } from './schemas.ts'

const VERDICTS = ['true_positive', 'false_positive'] as const

const comment = textSchema(1, 2_000)
const verdict = wordSchema(VERDICTS)
const assignee = { type: ['string', 'null'], minLength: 1, maxLength: 128 } as const
const revision = {
  type: 'integer',
  minimum: 1,
  maximum: 2_147_483_647,
  description: 'The `revision` that was looked at: 409 when the alert has changed since. Any when not given.',
} as const

const optional = { revision, comment }

/** A body that may be left out. */
const orNothing = <S extends object>(schema: S) => ({ ...schema, type: ['object', 'null'] })

/** What can be done to an alert: the last part of the path, what it is in `decisions`, and its body. */
const ACTS = [
  {
    path: 'acknowledge',
    kind: 'acknowledge',
    summary: 'Say that somebody looks after an alert',
    body: orNothing(objectSchema(optional, [])),
  },
  {
    path: 'resolve',
    kind: 'resolve',
    summary: 'End an alert, with what it was found to be',
    body: orNothing(objectSchema({ ...optional, verdict }, [])),
  },
  {
    path: 'reopen',
    kind: 'reopen',
    summary: 'Open an alert again',
    body: orNothing(objectSchema(optional, [])),
  },
  {
    path: 'comments',
    kind: 'comment',
    summary: 'Comment on an alert',
    body: objectSchema(optional, ['comment']),
  },
  {
    path: 'assign',
    kind: 'assign',
    summary: 'Give an alert to somebody, or with null to nobody',
    body: objectSchema({ ...optional, assignee }, ['assignee']),
  },
  {
    path: 'verdict',
    kind: 'verdict',
    summary: 'Say what an alert was found to be, for retraining to learn from',
    body: objectSchema({ ...optional, verdict }, ['verdict']),
  },
] as const

type ActBody = Omit<Act, 'kind' | 'alertId'> & { readonly revision?: number }

const refuse = (reply: FastifyReply, refusal: TriageRefusal) => {
  switch (refusal.refused) {
    case 'unknown':
      return sendProblem(reply, 404)
    case 'ended':
      return sendProblem(reply, 409, 'the alert has ended: reopen it first')
    case 'stale':
      return sendProblem(reply, 409, `the alert has changed since: it is at revision ${refusal.revision}`)
  }
}

/**
 * `POST /alerts/:id/…`: what people decide about an alert. The answer is 202: the decision is kept, and the alert's next
 * revision, which alerting writes, shows it.
 */
export const addTriageRoutes = (app: FastifyInstance, { triage }: RouteDeps): void => {
  for (const { path, kind, summary, body } of ACTS) {
    app.post<{ Params: { id: string }; Body: ActBody | null }>(
      `/alerts/:id/${path}`,
      {
        config: { policy: 'alerts:triage', problems: [404, 409] },
        schema: {
          operationId: `${kind}Alert`,
          summary,
          tags: ['alerts'],
          params: idSchema,
          body,
          response: { 202: triageSchema },
        },
      },
      async (request, reply) => {
        const { revision: expected, ...fields } = request.body ?? {}
        const decider = { principal: whoIs(request), address: request.ip }
        const act = { ...fields, kind, alertId: request.params.id } as Act
        const decided = await triage.act(decider, act, expected)
        return 'refused' in decided ? refuse(reply, decided) : reply.code(202).send(viewOf(decided))
      },
    )
  }
}
