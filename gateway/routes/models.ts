import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Moved } from '../back-office.ts'
import { noteAct, type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  countSchema,
  listSchema,
  objectSchema,
  textOrNull,
  textSchema,
  timeOrNull,
  timeSchema,
} from './schemas.ts'

const numberOrNull = { type: ['number', 'null'] } as const
const versionSchema = objectSchema({ version: textSchema(1, 64) }, ['version'])
const reasonSchema = objectSchema({ reason: textSchema(1, 500) }, ['reason'])

const summary = {
  version: anyText,
  state: { ...anyText, description: 'champion, challenger, held or refused' },
  problem: textOrNull,
  published: timeOrNull,
  size: { ...numberOrNull, description: 'In bytes.' },
  rows: numberOrNull,
  parent: textOrNull,
} as const

const pointerSchema = answerSchema({
  role: anyText,
  sequence: countSchema,
  at: timeSchema,
  reason: anyText,
})

const modelSchema = answerSchema(
  {
    ...summary,
    pointers: listSchema(pointerSchema),
    window: {
      type: ['object', 'null'],
      required: ['from', 'to'],
      additionalProperties: false,
      properties: { from: timeSchema, to: timeSchema },
    },
    metrics: { type: 'object', additionalProperties: { type: 'number' } },
    report: { ...textOrNull, description: 'How it was judged, in Markdown.' },
    threshold: numberOrNull,
    models: listSchema(anyText),
    sha256: textOrNull,
  },
  'Model',
)
const movedSchema = answerSchema({ version: anyText, sequence: countSchema })

const tags = ['models'] as const

/**
 * `/models`: the registry of models, as `netsentinel models` has it. What is put in force is tried as a scorer would, and
 * signed.
 */
export const addModelRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { audit, backOffice } = deps
  const { models } = backOffice

  const answer = async (
    event: string,
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    act: (reason: string) => Promise<Moved>,
  ) => {
    const { reason } = request.body as { readonly reason: string }
    const moved = await act(`${whoIs(request).username}: ${reason}`)
    const isRefused = 'refused' in moved
    await noteAct(audit, request, {
      event,
      outcome: isRefused ? 'refused' : 'accepted',
      ...(isRefused ? {} : { subject: moved.version }),
      detail: { reason },
    })
    return isRefused ? sendProblem(reply, 409, moved.refused) : reply.send(moved)
  }

  app.get(
    '/models',
    {
      config: { policy: 'models:read' },
      schema: {
        operationId: 'listModels',
        summary: 'Models of the registry, the latest last',
        tags,
        response: { 200: answerSchema({ models: listSchema(answerSchema(summary, 'ModelSummary')) }) },
      },
    },
    async () => ({ models: await models.list() }),
  )

  app.get<{ Params: { version: string } }>(
    '/models/:version',
    {
      config: { policy: 'models:read', problems: [404] },
      schema: {
        operationId: 'getModel',
        summary: 'A model, and how it was judged',
        tags,
        params: versionSchema,
        response: { 200: modelSchema },
      },
    },
    async (request, reply) => (await models.find(request.params.version)) ?? sendProblem(reply, 404),
  )

  app.post<{ Params: { version: string } }>(
    '/models/:version/promote',
    {
      config: { policy: 'models:promote', problems: [404, 409] },
      schema: {
        operationId: 'promoteModel',
        summary: 'Put a model in force',
        tags,
        params: versionSchema,
        body: reasonSchema,
        response: { 200: movedSchema },
      },
    },
    async (request, reply) => {
      const { version } = request.params
      if ((await models.find(version)) === undefined) return sendProblem(reply, 404)
      return answer('model.promote', { request, reply }, reason => models.promote(version, reason))
    },
  )

  app.post(
    '/models/rollback',
    {
      config: { policy: 'models:promote', problems: [409] },
      schema: {
        operationId: 'rollBackModel',
        summary: 'Put the model before this one in force again',
        tags,
        body: reasonSchema,
        response: { 200: movedSchema },
      },
    },
    async (request, reply) => answer('model.rollback', { request, reply }, models.rollback),
  )
}
