import type { FastifyInstance } from 'fastify'
import type { Check } from '../../runtime/lifecycle.ts'
import type { RouteDeps } from './route.ts'

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
  app.get('/live', { config: { policy: 'public' } }, async () => ({ live: true }))
  app.get('/ready', { config: { policy: 'public' } }, async (_request, reply) => {
    const ready = (await check()).every(({ problem }) => problem === undefined)
    return reply.code(ready ? 200 : 503).send({ ready })
  })
}
