import { expect, it } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { startKafkaGateway } from '../../gateway/command.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import { openMemoryBackOffice } from '../support/back-office.ts'
import { logIn, post } from '../support/gateway.ts'
import { KAFKA_GATEWAY_SECTIONS, kafkaGatewayEnv } from '../support/kafka-gateway.ts'
import { kcatRead } from '../support/kcat.ts'
import { unique, until } from '../support/services.ts'
import { cleanUp, testKafka } from '../support/stages.ts'

it('security events go to the topic audit, in order, and a restart neither loses nor repeats them', async () => {
  const config = loadConfig(KAFKA_GATEWAY_SECTIONS, kafkaGatewayEnv(`${unique('audit')}-`))
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
