import type { FastifyInstance } from 'fastify'
import type { Check } from '../../runtime/lifecycle.ts'
import type { RouteDeps } from './route.ts'
import { answerSchema, flagSchema } from './schemas.ts'

const tags = ['health'] as const
const readySchema = answerSchema({ ready: flagSchema })

/**
 * `GET /live`: the process runs. `GET /ready`: all that it needs is there; 503 otherwise. What is missing is told on the
 * process's own health port only: these two are public.
 */
export const addHealthRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  let checking: Promise<readonly Check[]> | undefined
  /** One look at a time, however many ask. */
  const check = () => {
    checking ??= deps.check().finally(() => {
      checking = undefined
    })
    return checking
  }
  app.get(
    '/live',
    {
      config: { policy: 'public' },
      schema: {
        operationId: 'isLive',
        summary: 'Whether the process runs',
        tags,
        response: { 200: answerSchema({ live: flagSchema }) },
      },
    },
    async () => ({ live: true }),
  )
  app.get(
    '/ready',
    {
      config: { policy: 'public' },
      schema: {
        operationId: 'isReady',
        summary: 'Whether all that it needs is there',
        tags,
        response: { 200: readySchema, 503: readySchema },
      },
    },
    async (_request, reply) => {
      const ready = (await check()).every(({ problem }) => problem === undefined)
      return reply.code(ready ? 200 : 503).send({ ready })
    },
  )
}
