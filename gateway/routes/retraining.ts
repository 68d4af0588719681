import type { FastifyInstance } from 'fastify'
import { noteAct, type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  emptySchema,
  idSchema,
  listSchema,
  noContent,
  textOrNull,
  timeOrNull,
  timeSchema,
  wordSchema,
} from './schemas.ts'

const jobSchema = answerSchema(
  {
    id: anyText,
    state: wordSchema(['waiting', 'active', 'completed', 'failed']),
    trigger: anyText,
    added: timeSchema,
    started: timeOrNull,
    ended: timeOrNull,
    progress: {
      type: ['object', 'null'],
      description: '`done` is 0 to 1, of the phase.',
      required: ['phase', 'done'],
      additionalProperties: false,
      properties: { phase: anyText, done: { type: 'number' } },
    },
    result: {
      type: ['object', 'null'],
      required: ['outcome', 'version', 'reason'],
      additionalProperties: false,
      properties: {
        outcome: wordSchema(['promoted', 'rejected', 'rolled-back', 'failed']),
        version: textOrNull,
        reason: anyText,
      },
    },
  },
  'RetrainingJob',
)

const tags = ['retraining'] as const

/** `/retraining/jobs`: retrainings, as `netsentinel retrain` does them: asked for, followed, cancelled. */
export const addRetrainingRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { audit, backOffice } = deps
  const { retraining } = backOffice

  app.get(
    '/retraining/jobs',
    {
      config: { policy: 'models:read' },
      schema: {
        operationId: 'listRetrainings',
        summary: 'Retrainings, the latest first',
        tags,
        response: { 200: answerSchema({ jobs: listSchema(jobSchema) }) },
      },
    },
    async () => ({ jobs: await retraining.list() }),
  )

  app.get<{ Params: { id: string } }>(
    '/retraining/jobs/:id',
    {
      config: { policy: 'models:read', problems: [404] },
      schema: {
        operationId: 'getRetraining',
        summary: 'A retraining: how far it has come, and what came of it',
        tags,
        params: idSchema,
        response: { 200: jobSchema },
      },
    },
    async (request, reply) => (await retraining.find(request.params.id)) ?? sendProblem(reply, 404),
  )

  app.post(
    '/retraining/jobs',
    {
      config: { policy: 'retraining:start', problems: [409] },
      schema: {
        operationId: 'startRetraining',
        summary: 'Train a model anew, now; one at a time is done',
        tags,
        body: emptySchema,
        response: { 201: jobSchema },
      },
    },
    async (request, reply) => {
      const isBusy = (await retraining.list()).some(({ state }) => state === 'waiting' || state === 'active')
      if (isBusy) return sendProblem(reply, 409, 'a retraining waits or is being done')
      const job = await retraining.start(`asked for by ${whoIs(request).username}`)
      if (job === undefined) return sendProblem(reply, 409, 'the retraining was taken away at once')
      await noteAct(audit, request, { event: 'retraining.start', subject: job.id })
      return reply.code(201).send(job)
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/retraining/jobs/:id',
    {
      config: { policy: 'retraining:start', problems: [404] },
      schema: {
        operationId: 'cancelRetraining',
        summary: 'Give up a retraining; a model that it has promoted stays',
        tags,
        params: idSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await retraining.cancel(id))) return sendProblem(reply, 404)
      await noteAct(audit, request, { event: 'retraining.cancel', subject: id })
      return reply.code(204).send()
    },
  )
}
