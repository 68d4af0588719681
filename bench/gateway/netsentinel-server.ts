import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRefusal } from '../../gateway/auth/provider.ts'
import { gatewayConfig } from '../../gateway/config.ts'
import { startGateway } from '../../gateway/gateway.ts'
import type { Relay } from '../../gateway/relay.ts'
import { loadConfig } from '../../runtime/config.ts'
import { createFailure } from '../../runtime/lifecycle.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Threat } from '../../schemas/generated.ts'
import { openMemoryBackOffice } from '../../test/support/back-office.ts'
import { obey, readArguments } from './orders.ts'

/** The gateway as it runs in production, but for Kafka: what its consumer would bring is ordered by the benchmark. */
const { redis: url, prefix } = readArguments()
const dataDir = await mkdtemp(join(tmpdir(), 'netsentinel-bench-'))
const { failed } = createFailure()
let relay: Relay | undefined
const gateway = await startGateway({
  config: {
    gateway: loadConfig(
      { gateway: gatewayConfig },
      {
        GATEWAY_PORT: '0',
        // All of them are one user's, from one address.
        GATEWAY_MAX_SOCKETS_PER_USER: '20000',
        GATEWAY_MAX_SOCKETS_PER_ADDRESS: '20000',
        GATEWAY_UPGRADES_PER_SECOND: '20000',
        GATEWAY_UPGRADES_PER_SECOND_PER_ADDRESS: '20000',
        BOOTSTRAP_ADMIN_PASSWORD: 'correct horse battery',
        ACCESS_TOKEN_TTL_S: '3600',
      },
    ).gateway,
    redis: { url },
    dataDir,
    prefix,
  },
  topics: { threats: 'threats', alerts: 'alerts' },
  decodeThreat: async value => JSON.parse(value.toString()) as Threat,
  decodeAlert: async () => {
    throw new Error('the benchmark has no alerts')
  },
  publishAudit: async () => undefined,
  openDecisions: async () => ({ write: async () => undefined, close: async () => undefined }),
  backOffice: openMemoryBackOffice(),
  consume: async given => {
    relay = given
    return { name: 'consumer', check: async () => [], failed, close: async () => undefined }
  },
  log: silentLog(),
  metrics: createMetrics(),
})
const session = await gateway.openSession('admin')
if (isRefusal(session)) throw new Error(session.refused)

let offset = 0
const record = (message: string) => ({
  topic: 'threats',
  partition: 0,
  offset: offset++,
  timestamp: Date.now(),
  key: null,
  value: Buffer.from(message),
  headers: {},
})
await obey(gateway.port, session.accessToken, {
  publish: async (message, count) => relay?.onBatch(Array.from({ length: count }, () => record(message))),
})
await gateway.close()
await rm(dataDir, { recursive: true })
