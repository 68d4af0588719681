import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'

const YEAR_S = 31_536_000
const TLS_ONLY = `max-age=${YEAR_S}; includeSubDomains`

/** Adds the headers that have a browser be careful to every answer, whoever gives it. */
export const addBrowserHeaders = async (app: FastifyInstance): Promise<void> => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        objectSrc: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    hsts: false,
    referrerPolicy: { policy: 'no-referrer' },
  })
  app.addHook('onRequest', async (request, reply) => {
    // RFC 6797, section 7.2: not over plain HTTP. Whether it is plain, a trusted proxy says where there is one.
    if (request.protocol === 'https') reply.header('strict-transport-security', TLS_ONLY)
  })
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
}
