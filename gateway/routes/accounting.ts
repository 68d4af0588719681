import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../runtime/metrics.ts'
import type { AccessLog } from '../access-log.ts'

/** Asked for again and again by what looks after processes. */
const HEALTH: readonly (string | undefined)[] = ['/live', '/ready']

interface AccountingDeps {
  readonly access: AccessLog
  readonly metrics: Pick<Metrics, 'requestSeconds'>
}

/** Notes each request when it has been answered: in the access log, and in the metrics by route and class of status. */
export const addAccounting = (app: FastifyInstance, { access, metrics }: AccountingDeps): void => {
  app.addHook('onResponse', async (request, reply) => {
    const { method, principal, ip: address } = request
    const { statusCode: status, elapsedTime } = reply
    const route = request.is404 ? undefined : request.routeOptions.url
    // What is no route counts as one: whoever asks for addresses at random must not make metrics of them.
    const label = route === undefined ? 'none' : `${method} ${route}`
    metrics.requestSeconds.observe(
      { route: label, status: `${Math.floor(status / 100)}xx` },
      elapsedTime / 1000,
    )
    access.note(
      'request',
      {
        principal,
        address,
        method,
        ...(route === undefined ? {} : { route }),
        status,
        ms: Math.round(elapsedTime),
      },
      HEALTH.includes(route),
    )
  })
}
