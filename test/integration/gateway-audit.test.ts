import { expect, it } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { redisConfig } from '../../connectors/redis.ts'
import { registryConfig } from '../../connectors/registry.ts'
import { startKafkaGateway } from '../../gateway/command.ts'
import { gatewayConfig } from '../../gateway/config.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { openMemoryBackOffice } from '../support/back-office.ts'
import { logIn, PASSWORD, post } from '../support/gateway.ts'
import { kcatRead } from '../support/kcat.ts'
import { services, unique, until } from '../support/services.ts'
import { cleanUp, testKafka } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'

it('security events go to the topic audit, in order, and a restart neither loses nor repeats them', async () => {
  const { kafkaBrokers, redisUrl, schemaRegistryUrl } = services()
  const dataDir = tempDir()
  const config = loadConfig(
    {
      kafka: kafkaConfig,
      topics: topicsConfig,
      registry: registryConfig,
      redis: redisConfig,
      gateway: gatewayConfig,
      models: modelsConfig,
      data: dataConfig,
    },
    {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      REDIS_URL: redisUrl,
      SCHEMA_REGISTRY_URL: schemaRegistryUrl,
      TOPIC_PREFIX: `${unique('audit')}-`,
      TOPIC_PARTITIONS: '1',
      DATA_DIR: dataDir,
      GATEWAY_PORT: '0',
      GATEWAY_MAX_LAG_MS: '0',
      BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    },
  )
  const topics = topicCatalogue(config.topics)
  await ensureTopics(testKafka(), [
    topics.threats,
    topics.alerts,
    topics.audit,
    topics.decisions,
    topics.models,
  ])
  const start = async () => {
    const gateway = await startKafkaGateway({
      config,
      openBackOffice: async () => openMemoryBackOffice(),
      log: silentLog(),
      metrics: createMetrics(),
    })
    cleanUp(() => gateway.close())
    return gateway
  }
  const published = async () =>
    (await kcatRead(topics.audit.name)).map(({ payload }) => {
      const { event, outcome } = JSON.parse(payload ?? '') as { event: string; outcome: string }
      return `${event} ${outcome}`
    })

  const gateway = await start()
  await post(gateway.url, '/auth/login', { username: 'admin', password: 'wrong' })
  const { accessToken } = await logIn(gateway.url)
  await until(async () => (await published()).length === 3)
  await post(gateway.url, '/auth/logout', {}, { authorization: `Bearer ${accessToken}` })
  // Closed before the next look: what is there is published on the way out.
  await gateway.close()
  const expected = ['user.create accepted', 'login password', 'login accepted', 'logout accepted']
  expect(await published()).toEqual(expected)

  const again = await start()
  await logIn(again.url)
  await until(async () => (await published()).length > expected.length)
  expect(await published()).toEqual([...expected, 'login accepted'])
})
