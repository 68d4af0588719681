import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import type { GatewaySettings } from './config.ts'

/** A certificate and its key, PEM. */
export interface Tls {
  readonly cert: Buffer
  readonly key: Buffer
}

const invalid = (message: string, cause?: unknown) =>
  new SentinelError('NS_CONFIG_INVALID', message, { cause })

/** The certificate that the settings name; undefined when they name none. Throws NS_CONFIG_INVALID. */
export const readTls = ({
  tlsCert,
  tlsKey,
}: Pick<GatewaySettings, 'tlsCert' | 'tlsKey'>): Tls | undefined => {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) {
    throw invalid('GATEWAY_TLS_CERT and GATEWAY_TLS_KEY: one is of no use without the other')
  }
  try {
    const tls = { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) }
    createSecureContext(tls)
    return tls
  } catch (cause) {
    throw invalid(`GATEWAY_TLS_CERT and GATEWAY_TLS_KEY: ${messageOf(cause)}`, cause)
  }
}

/** A request, its head or its body, that is not here by then is cut. All in ms. */
const TIMEOUTS = {
  headersTimeout: 5_000,
  requestTimeout: 8_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 72_000,
} as const

/** Makes the server of the gateway: HTTPS, TLS 1.2 or later, where there is a certificate. */
export const createHttpServer = (tls: Tls | undefined, handler: RequestListener): Server =>
  tls === undefined
    ? createServer(TIMEOUTS, handler)
    : createTlsServer({ ...TIMEOUTS, ...tls, minVersion: 'TLSv1.2' }, handler)
