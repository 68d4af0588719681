import { describe, expect, it } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { createRegistry } from '../../connectors/registry.ts'
import { startAlerting } from '../../pipelines/alerting/command.ts'
import { alertingConfig } from '../../pipelines/alerting/config.ts'
import { decide } from '../../pipelines/alerting/decide-command.ts'
import type { CommandContext } from '../../runtime/command.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert, Threat } from '../../schemas/generated.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { makeEvent } from '../support/events.ts'
import { services, unique, until } from '../support/services.ts'
import { cleanUp, drained, readAll, readValues, testKafka } from '../support/stages.ts'
import { makeThreat } from '../support/threats.ts'

const T0 = Date.now()

/** Alerting with topics of its own: two partitions, alerts that close after a minute. */
const createSystem = async (kafka: Kafka) => {
  const prefix = `${unique('alerting')}.`
  const config = {
    kafka: kafka.config,
    registry: { url: services().schemaRegistryUrl },
    ...loadConfig(
      { topics: topicsConfig, alerting: alertingConfig },
      { TOPIC_PREFIX: prefix, TOPIC_PARTITIONS: '2', ALERTING_QUIET_MS: '60000' },
    ),
  }
  const topics = topicCatalogue(config.topics)
  await ensureTopics(kafka, Object.values(topics))
  const registry = createRegistry(config.registry)
  const threatCodec = await registry.codec('Threat', topics.threats.name)
  const alertCodec = await registry.codec('Alert', topics.alerts.name)
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  const context = { config, log: silentLog(), metrics: createMetrics() }

  return {
    topics,
    start: async () => {
      const service = await startAlerting(context)
      cleanUp(() => service.close())
      return service
    },
    /** Sends threats of entities, which happened and arrived at so many seconds. */
    send: (threats: readonly { entity: string; at: number; rest?: Partial<Threat> }[]) =>
      producer.send(
        topics.threats.name,
        threats.map(({ entity, at, rest }) => {
          const id = unique('t')
          const event = makeEvent({ id, entity, time: T0 + at * 1000 })
          const value = threatCodec.encode(makeThreat({ id, event, severity: 'low', ...rest }))
          return { key: entity, value, timestamp: T0 + at * 1000 }
        }),
      ),
    /** Waits until all threats are read. */
    settled: () => drained(`${prefix}alerting`, topics.threats.name),
    alerts: async (): Promise<Alert[]> => {
      const records = await readAll(kafka, topics.alerts.name)
      return Promise.all(records.map(({ value }) => alertCodec.decode(value ?? Buffer.alloc(0))))
    },
    decide: async (operands: readonly string[], options: Readonly<Record<string, string>> = {}) => {
      const printed: string[] = []
      await decide.run({
        ...context,
        operands,
        options,
        print: (line: string) => printed.push(line),
      } as unknown as CommandContext<typeof config>)
      return printed[0] ?? ''
    },
  }
}

const attack = (entity: string, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ entity, at: from + i }))

const changesOf = (alerts: readonly Alert[], entity: string) =>
  alerts
    .filter(alert => alert.entity === entity)
    .map(({ change, revision, count }) => [change, revision, count])

describe('alerting on a real broker', () => {
  it('makes one alert of an attack, whoever runs it, each revision once; in OCSF too', async () => {
    const kafka = testKafka()
    const system = await createSystem(kafka)
    const entities = Array.from({ length: 6 }, (_, i) => `ip:192.0.2.${i}`)
    const half = (from: number) => entities.flatMap(entity => attack(entity, 20, from))
    const first = await system.start()
    await system.send(half(0))
    await system.settled()
    // A second alerter takes one of the partitions over while threats come in, then the first one leaves.
    const [second] = await Promise.all([system.start(), system.send(half(20))])
    await system.settled()
    await first.close()
    await system.send(half(40))
    await system.settled()
    await second.close()
    await system.start()
    await system.send(entities.flatMap(entity => attack(entity, 5, 60)))
    await system.settled()

    const alerts = await system.alerts()
    for (const entity of entities) {
      expect(changesOf(alerts, entity)).toEqual([
        ['opened', 1, 10],
        ['grew', 2, 16],
        ['grew', 3, 32],
        ['grew', 4, 64],
      ])
    }
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(entities.length)
    const findings = (await readValues(kafka, system.topics.alertsOcsf.name)).map(
      text => (JSON.parse(text) as { metadata: { uid: string } }).metadata.uid,
    )
    expect(findings.toSorted()).toEqual(alerts.map(({ id, revision }) => `${id}-${revision}`).toSorted())
    const places = (await readAll(kafka, system.topics.alerts.name)).map(
      ({ key, partition }) => `${key} ${partition}`,
    )
    expect(new Set(places).size).toBe(entities.length)
  })

  it('heeds decisions at once, and after a restart', async () => {
    const kafka = testKafka()
    const system = await createSystem(kafka)
    const first = await system.start()
    await system.send(attack('ip:192.0.2.1', 10))
    await system.settled()
    const [opened] = await system.alerts()
    const id = opened?.id ?? ''
    await system.decide(['acknowledge', id], { by: 'ann', id: 'ack-1' })
    await until(async () => (await system.alerts()).length === 2, { what: 'the alert acknowledged' })
    const suppression = await system.decide(['suppress'], { cidr: '203.0.113.0/24' })
    // The same decision again changes nothing; the one behind it tells when it has been read.
    await system.decide(['acknowledge', id], { by: 'ann', id: 'ack-1' })
    await system.decide(['comment', id], { comment: 'looking' })
    await until(async () => (await system.alerts()).length === 3, { what: 'the comment' })
    await first.close()

    const later = Math.ceil((Date.now() - T0) / 1000) + 1
    const second = await system.start()
    await system.send(attack('ip:192.0.2.1', 30, later))
    await system.settled()
    const alerts = await system.alerts()
    expect(alerts.map(({ revision, status, comment }) => [revision, status, comment])).toEqual([
      [1, 'open', null],
      [2, 'acknowledged', null],
      [3, 'acknowledged', 'looking'],
    ])

    await system.decide(['lift', suppression])
    await system.decide(['resolve', id], { verdict: 'false_positive' })
    await until(async () => (await system.alerts()).length === 4, { what: 'the alert resolved' })
    await second.close()
    await system.start()
    await system.send(attack('ip:192.0.2.1', 10, later + 30))
    await system.settled()
    expect(
      (await system.alerts()).slice(3).map(({ id: same, change, verdict }) => [same, change, verdict]),
    ).toEqual([
      [id, 'triaged', 'false_positive'],
      [id, 'reopened', 'false_positive'],
    ])
  })

  it('closes an alert with the next threat of its partition, and buries what it cannot read', async () => {
    const kafka = testKafka()
    const system = await createSystem(kafka)
    await system.start()
    await system.send(attack('ip:192.0.2.1', 10))
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    await producer.send(system.topics.threats.name, [{ key: 'ip:192.0.2.1', value: Buffer.from('junk') }])
    await system.send(attack('ip:192.0.2.1', 1, 400))
    await system.settled()
    expect(changesOf(await system.alerts(), 'ip:192.0.2.1')).toEqual([
      ['opened', 1, 10],
      ['closed', 2, 10],
    ])
    const [letter] = await readAll(kafka, system.topics.deadLetters.name)
    expect(String(letter?.value)).toBe('junk')
    expect(String(letter?.headers['ns-stage'])).toBe('alerting')
  })
})
