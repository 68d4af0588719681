import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, afterEach } from '@jest/globals'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import type { BackOfficeNews } from '../../gateway/back-office.ts'
import { gatewayConfig } from '../../gateway/config.ts'
import { type Gateway, startGateway } from '../../gateway/gateway.ts'
import type { Relay } from '../../gateway/relay.ts'
import type { OutboxEntry } from '../../gateway/store/decisions.ts'
import { loadConfig } from '../../runtime/config.ts'
import { createFailure } from '../../runtime/lifecycle.ts'
import { type Log, silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { AuditEntry } from '../../schemas/audit.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import type { Tokens } from '../../schemas/wire.ts'
import { openMemoryBackOffice } from './back-office.ts'
import { services } from './services.ts'
import { makeThreat } from './threats.ts'

/** Password of the account `admin` of every gateway here. */
export const PASSWORD = 'correct horse battery'

type Closable = { close(): Promise<void> }
const closeAll = (each: Closable[]) => Promise.all(each.splice(0).map(({ close }) => close()))

/** What ends with its test, and what ends with the file. */
const open: Closable[] = []
const kept: Closable[] = []
afterEach(() => closeAll(open))
afterAll(() => closeAll(kept))

/** How a gateway of a test differs. */
export interface TestGatewayOptions {
  readonly dataDir: string
  /** What gateways share that shall meet in Redis. */
  readonly prefix: string
  readonly redisUrl?: string
  /** File of the authority that it shows a certificate of. */
  readonly redisCa?: string
  /** Settings by their environment variables. */
  readonly env?: Readonly<Record<string, string>>
  readonly log?: Log
  readonly now?: () => number
  /** Whether it runs to the end of the file, for all of its tests; else it ends with the test that started it. */
  readonly isKept?: boolean
}

/** A gateway on real Redis whose consumer is the test: `relay.onBatch` takes what Kafka would bring. */
export const startTestGateway = async (options: TestGatewayOptions) => {
  const { failed } = createFailure()
  let relay: Relay | undefined
  let news: BackOfficeNews | undefined
  const audited: AuditEntry[] = []
  const decided: OutboxEntry[] = []
  const metrics = createMetrics()
  const gateway: Gateway = await startGateway({
    config: {
      gateway: loadConfig(
        { gateway: gatewayConfig },
        {
          GATEWAY_PORT: '0',
          BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
          // It shares its thread with the test, and the machine with others.
          GATEWAY_MAX_LAG_MS: '0',
          ...options.env,
        },
      ).gateway,
      redis: {
        url: options.redisUrl ?? services().redisUrl,
        ...(options.redisCa === undefined ? {} : { sslCa: options.redisCa }),
      },
      dataDir: options.dataDir,
      prefix: options.prefix,
    },
    topics: { threats: 'threats', alerts: 'alerts' },
    decodeThreat: async value => JSON.parse(value.toString()) as Threat,
    decodeAlert: async value => JSON.parse(value.toString()) as Alert,
    publishAudit: async entries => {
      audited.push(...entries)
    },
    openDecisions: async () => ({
      write: async entries => {
        decided.push(...entries)
      },
      close: async () => undefined,
    }),
    backOffice: openMemoryBackOffice(given => {
      news = given
    }),
    consume: async given => {
      relay = given
      return { name: 'consumer', check: async () => [], failed, close: async () => undefined }
    },
    log: options.log ?? silentLog(),
    metrics,
    ...(options.now === undefined ? {} : { now: options.now }),
  })
  const all = options.isKept ? kept : open
  all.push(gateway)
  if (relay === undefined) throw new Error('the gateway did not consume')
  if (news === undefined) throw new Error('the gateway did not follow the back office')
  return { gateway, relay, news, metrics, audited, decided, url: gateway.url }
}

/** A record of `threats` as the consumer hands it over. */
export const threatRecord = (offset: number, fields: Partial<Threat> = {}): InputRecord => ({
  topic: 'threats',
  partition: 0,
  offset,
  timestamp: 0,
  key: null,
  value: Buffer.from(JSON.stringify(makeThreat({ id: `threat-${offset}`, ...fields }))),
  headers: {},
})

/** Posts JSON to a gateway. */
export const post = (url: string, path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

/** Logs `admin` in. */
export const logIn = async (url: string): Promise<Tokens> => {
  const response = await post(url, '/auth/login', { username: 'admin', password: PASSWORD })
  if (!response.ok) throw new Error(`the login was answered with ${response.status}`)
  return (await response.json()) as Tokens
}

/** What a request to upgrade came to, seen by Node's own HTTP client: 101, or the status that it was refused with. */
export const tryUpgrade = async (
  url: string,
  headers: Readonly<Record<string, string>>,
  path = '/ws',
): Promise<{ readonly status: number; readonly headers: Record<string, unknown>; readonly body: string }> => {
  const asked = request(url + path, {
    agent: false,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  }).end()
  return new Promise((resolve, reject) => {
    asked.on('error', reject)
    asked.on('upgrade', (response, socket) => {
      socket.destroy()
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: '' })
    })
    asked.on('response', response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
  })
}

/** Options of Node's own WebSocket that its types do not know. */
type WebSocketOptions = {
  readonly headers: Readonly<Record<string, string>>
  readonly protocols?: readonly string[]
}

/** A socket of Node's own WebSocket client, which shares no code with the gateway or with its client. */
export const openForeignSocket = async (url: string, options: WebSocketOptions) => {
  const socket = new WebSocket(
    `${url.replace('http', 'ws')}/ws`,
    options as unknown as ConstructorParameters<typeof WebSocket>[1],
  )
  const messages: { type: string; [key: string]: unknown }[] = []
  const closed = Promise.withResolvers<number>()
  const opened = Promise.withResolvers<void>()
  socket.addEventListener('message', event => messages.push(JSON.parse(String(event.data))))
  socket.addEventListener('close', event => closed.resolve(event.code))
  socket.addEventListener('open', () => opened.resolve())
  socket.addEventListener('error', () => opened.reject(new Error('the socket was not opened')))
  const client = {
    socket,
    messages,
    closed: closed.promise,
    send: (message: object) => socket.send(JSON.stringify(message)),
    close: async () => {
      socket.close()
      await closed.promise
    },
  }
  await opened.promise
  open.push(client)
  return client
}

/**
 * A client that does its handshake by hand and then reads nothing at all. Resolves when it is upgraded and has asked for
 * threats.
 */
export const openDeafSocket = async (port: number, accessToken: string): Promise<void> => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    [
      'GET /ws HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Authorization: Bearer ${accessToken}`,
      '\r\n',
    ].join('\r\n'),
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(head.toString())
  const payload = Buffer.from('{"type":"subscribe","channel":"threats"}')
  // Masked with zeros, which leaves the payload as it is.
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
  socket.write(frame)
  await once(socket, 'data')
  socket.pause()
  open.push({
    close: async () => {
      socket.destroy()
    },
  })
}
