import { describe, expect, it } from '@jest/globals'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { createRegistry } from '../../connectors/registry.ts'
import { startKafkaGateway } from '../../gateway/command.ts'
import { openDecisionWriter } from '../../gateway/triage/decision-writer.ts'
import { startAlerting } from '../../pipelines/alerting/command.ts'
import { alertingConfig } from '../../pipelines/alerting/config.ts'
import { readVerdicts } from '../../pipelines/retraining/verdicts.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Alert } from '../../schemas/generated.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import { makeDecision } from '../contract/store-values.ts'
import { openMemoryBackOffice } from '../support/back-office.ts'
import { makeEvent } from '../support/events.ts'
import { logIn } from '../support/gateway.ts'
import { KAFKA_GATEWAY_SECTIONS, kafkaGatewayEnv } from '../support/kafka-gateway.ts'
import { runCli, unique, until } from '../support/services.ts'
import { cleanUp, drained, readAll, testKafka } from '../support/stages.ts'
import { makeAlert, makeThreat } from '../support/threats.ts'

const PARTITIONS = 2

/** Topics of its own on the shared services, and what writes to them and reads them. */
const createSystem = async (settings: Readonly<Record<string, string>> = {}) => {
  const env = {
    ...kafkaGatewayEnv(`${unique('triage')}.`),
    TOPIC_PARTITIONS: String(PARTITIONS),
    ...settings,
  }
  const config = loadConfig({ ...KAFKA_GATEWAY_SECTIONS, alerting: alertingConfig }, env)
  const kafka = testKafka()
  const topics = topicCatalogue(config.topics)
  const registry = createRegistry(config.registry)
  const codecs = {
    threat: await registry.codec('Threat', topics.threats.name),
    alert: await registry.codec('Alert', topics.alerts.name),
    decision: await registry.codec('Decision', topics.decisions.name),
  }
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  return {
    env,
    config,
    kafka,
    topics,
    codecs,
    producer,
    context: { config, log: silentLog(), metrics: createMetrics() },
    /** What each partition of `decisions` has, in order. */
    decisions: async () => {
      const records = await readAll(kafka, topics.decisions.name)
      return Array.from({ length: PARTITIONS }, (_, partition) =>
        records.filter(record => record.partition === partition).map(({ key }) => String(key)),
      )
    },
  }
}

/** Asks a gateway as its administrator. */
const createClient = async (url: string) => {
  const { accessToken } = await logIn(url)
  return async (method: string, path: string, body?: object) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
  }
}

describe('triage over REST', () => {
  it('reaches the alert, the threats to come and retraining; what nobody looks after is escalated', async () => {
    const system = await createSystem({ GATEWAY_ESCALATE_AFTER_S: '1' })
    const { topics, kafka, codecs, producer, context } = system
    await ensureTopics(kafka, Object.values(topics))
    const alerting = await startAlerting(context)
    cleanUp(() => alerting.close())
    const gateway = await startKafkaGateway({
      ...context,
      openBackOffice: async () => openMemoryBackOffice(),
    })
    cleanUp(() => gateway.close())
    const ask = await createClient(gateway.url)

    /** Ten failed logins, which are a brute force. */
    const attack = async (entity: string, severity: 'low' | 'high' = 'low') => {
      const threats = Array.from({ length: 10 }, () => {
        const id = unique('t')
        const event = makeEvent({ id, entity, time: Date.now() })
        return makeThreat({ id, event, severity })
      })
      await producer.send(
        topics.threats.name,
        threats.map(threat => ({ key: entity, value: codecs.threat.encode(threat), timestamp: Date.now() })),
      )
      await drained(`${system.config.topics.prefix}alerting`, topics.threats.name)
    }
    const alertOf = (entity: string): Promise<Alert> =>
      until(async () => {
        const { json } = await ask('GET', `/alerts?entity=${encodeURIComponent(entity)}`)
        return json.alerts[0]
      })
    const becomes = (id: string, wanted: object) =>
      until(async () => {
        const { alert } = (await ask('GET', `/alerts/${id}`)).json
        return Object.entries(wanted).every(([name, value]) => alert[name] === value) ? alert : undefined
      })

    const verdicts = async () => {
      const names = {
        decisions: topics.decisions.name,
        alerts: topics.alerts.name,
        threats: topics.threats.name,
      }
      return (await readVerdicts({ kafka, topics: names, codecs })).events
    }

    await attack('ip:192.0.2.1')
    const { id, revision } = await alertOf('ip:192.0.2.1')
    expect((await ask('POST', `/alerts/${id}/acknowledge`, { revision })).status).toBe(202)
    await becomes(id, { status: 'acknowledged', revision: 2, decidedBy: 'admin' })
    expect((await ask('POST', `/alerts/${id}/resolve`, { revision })).status).toBe(409)
    const verdict = { revision: 2, verdict: 'false_positive', comment: 'our scanner' }
    expect((await ask('POST', `/alerts/${id}/resolve`, verdict)).status).toBe(202)
    await becomes(id, { status: 'resolved', verdict: 'false_positive', comment: 'our scanner' })
    expect([...(await verdicts()).values()]).toEqual(Array.from({ length: 10 }, () => 'false_positive'))

    const suppression = await ask('POST', '/suppressions', { entity: 'ip:192.0.2.2' })
    expect(suppression.status).toBe(201)
    await until(async () => (await system.decisions()).every(ids => ids.includes(suppression.json.id)))
    // A decision behind it shows in its alert: by then alerting has read the suppression, too.
    await ask('POST', `/alerts/${id}/comments`, { comment: 'suppressed' })
    await becomes(id, { comment: 'suppressed' })
    await attack('ip:192.0.2.2')
    await attack('ip:192.0.2.3', 'high')
    const unattended = await alertOf('ip:192.0.2.3')
    expect((await ask('GET', '/alerts?entity=ip%3A192.0.2.2')).json.alerts).toEqual([])

    await becomes(unattended.id, { change: 'escalated', severity: 'critical', decidedBy: 'netsentinel' })
    expect((await ask('GET', `/alerts/${unattended.id}`)).json.triage).toMatchObject([{ kind: 'escalate' }])

    expect((await ask('DELETE', '/entities/ip%3A192.0.2.1')).json).toEqual({ records: 14, decisions: 3 })
    await until(async () => (await verdicts()).size === 0, { what: 'retraining to know of no verdict' })
  })

  it('is published by one gateway at a time: who was overtaken writes nothing any more', async () => {
    const { kafka, topics, codecs, decisions } = await createSystem()
    await ensureTopics(kafka, [topics.decisions])
    const open = async () => {
      const topic = topics.decisions.name
      const writer = await openDecisionWriter({
        kafka,
        topic,
        codec: codecs.decision,
        transactionalId: topic,
      })
      cleanUp(() => writer.close())
      return writer
    }
    const entryOf = (id: string, isLifted = false) => ({
      place: 0,
      id,
      at: Date.now(),
      decision: isLifted ? null : makeDecision({ id, kind: 'suppress', sensor: 'dmz' }),
    })
    const held = await open()
    await held.write([entryOf('a')])
    const other = await open()
    await other.write([entryOf('a', true)])
    await expect(held.write([entryOf('a')])).rejects.toMatchObject({ code: 'NS_TRANSACTION_FAILED' })
    await other.write([entryOf('b')])
    expect(await decisions()).toEqual(Array.from({ length: PARTITIONS }, () => ['a', 'a', 'b']))
  })

  it('loses nothing that it has answered to when its process is killed before it could publish', async () => {
    const { env, kafka, topics, codecs, producer, decisions } = await createSystem({ HEALTH_PORT: '0' })
    // Nothing can be published yet: the topic is not there.
    await ensureTopics(kafka, [topics.threats, topics.alerts, topics.audit, topics.models])
    await producer.send(topics.alerts.name, [
      { key: 'a', value: codecs.alert.encode(makeAlert({ id: 'a' })), timestamp: Date.now() },
    ])
    const start = async () => {
      const cli = runCli(['gateway'], env)
      const url = await until(() => /gateway: (http:\S+)/.exec(cli.stdout() + cli.stderr())?.[1], {
        what: 'the gateway',
      })
      return { cli, ask: await createClient(url) }
    }
    const { cli, ask } = await start()
    await until(async () => (await ask('GET', '/alerts/a')).status === 200)
    const ids: string[] = []
    for (const [path, body] of [
      ['/alerts/a/acknowledge', {}],
      ['/alerts/a/comments', { comment: 'looking' }],
      ['/suppressions', { sensor: 'dmz' }],
    ] as const) {
      ids.push((await ask('POST', path, body)).json.id)
    }
    cli.kill('SIGKILL')
    await cli.exited

    await ensureTopics(kafka, [topics.decisions])
    await start()
    await until(async () => (await decisions()).every(each => each.length === ids.length))
    expect(await decisions()).toEqual(Array.from({ length: PARTITIONS }, () => ids))
  })
})
