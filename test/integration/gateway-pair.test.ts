import { expect, it } from '@jest/globals'
import { ensureTopics, withAdmin } from '../../connectors/kafka/admin.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { createRegistry } from '../../connectors/registry.ts'
import { startKafkaGateway } from '../../gateway/command.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import { CLOSE } from '../../schemas/wire.ts'
import { openMemoryBackOffice } from '../support/back-office.ts'
import { logIn, openForeignSocket, post } from '../support/gateway.ts'
import { KAFKA_GATEWAY_SECTIONS, kafkaGatewayEnv } from '../support/kafka-gateway.ts'
import { unique, until } from '../support/services.ts'
import { cleanUp, testKafka } from '../support/stages.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { makeThreat } from '../support/threats.ts'

/** A group has to find together, on a machine that does much else. */
const PATIENT = { timeoutMs: 60_000 }

/** What two gateways share: Kafka, a store, and a Redis that one of them reaches by way of a proxy. */
const prepare = async () => {
  const env = kafkaGatewayEnv(`${unique('pair')}-`)
  const proxy = await startTcpProxy(env.REDIS_URL)
  cleanUp(() => proxy.close())
  const direct = loadConfig(KAFKA_GATEWAY_SECTIONS, env)
  const proxied = loadConfig(KAFKA_GATEWAY_SECTIONS, { ...env, REDIS_URL: proxy.url })
  const topics = topicCatalogue(direct.topics)
  const kafka = testKafka()
  const { threats, alerts, audit, decisions, models } = topics
  await ensureTopics(kafka, [threats, alerts, audit, decisions, models])
  const codec = await createRegistry(direct.registry).codec('Threat', threats.name)
  const producer = await createBatchProducer({ kafka })
  cleanUp(() => producer.close())
  return {
    proxy,
    start: async () => {
      const gateways = []
      for (const config of [direct, proxied]) {
        const gateway = await startKafkaGateway({
          config,
          openBackOffice: async () => openMemoryBackOffice(),
          log: silentLog(),
          metrics: createMetrics(),
        })
        cleanUp(() => gateway.close())
        gateways.push(gateway)
      }
      const [one, two] = gateways
      if (one === undefined || two === undefined) throw new Error('there are no two gateways')
      return [one, two] as const
    },
    publish: async (...ids: readonly string[]) => {
      await producer.send(
        threats.name,
        ids.map(id => ({ key: null, value: codec.encode(makeThreat({ id })) })),
      )
    },
    /** Deletes the topic of threats, and makes another one of the same name. */
    renewTopic: async () => {
      await withAdmin(kafka, 'deleting a topic', admin => admin.deleteTopics({ topics: [threats.name] }))
      await until(() => ensureTopics(kafka, [threats]).then(() => true), PATIENT)
    },
  }
}

/** Subscribes to threats, after a position where one is given. */
const connect = async (url: string, token: string, resume?: object) => {
  const client = await openForeignSocket(url, { headers: { authorization: `Bearer ${token}` } })
  client.send({ type: 'subscribe', channel: 'threats', ...(resume === undefined ? {} : { resume }) })
  const threats = () =>
    client.messages.flatMap(message =>
      message.type === 'threat' ? [message as unknown as ThreatMessage] : [],
    )
  const subscriptions = () => client.messages.filter(({ type }) => type === 'subscribed')
  await until(() => subscriptions().length > 0, PATIENT)
  return {
    ...client,
    subscriptions,
    ids: () => threats().map(({ data }) => data.id),
    /** Where a client that comes back goes on. */
    place: () => ({
      epoch: subscriptions()[0]?.['epoch'],
      positions: threats()
        .slice(-1)
        .map(({ position: { partition, offset } }) => ({ partition, offset })),
    }),
  }
}

interface ThreatMessage {
  readonly data: { readonly id: string }
  readonly position: { readonly partition: number; readonly offset: number }
}

it('two gateways on Kafka and Redis deliver, fill, resume and revoke as one', async () => {
  const { start, publish, proxy } = await prepare()
  const [one, two] = await start()
  const [mine, other] = [await logIn(one.url), await logIn(two.url)]
  const here = await connect(one.url, mine.accessToken)
  const there = await connect(two.url, other.accessToken)
  const both = (...ids: readonly string[]) =>
    until(() => [here, there].every(client => client.ids().length === ids.length), PATIENT).then(() =>
      expect([here.ids(), there.ids()]).toEqual([ids, ids]),
    )

  await publish('a', 'b')
  await both('a', 'b')

  // What is published now never reaches the second gateway by Redis.
  await proxy.pause()
  await publish('c')
  await both('a', 'b', 'c')
  await proxy.resume()
  await until(async () => (await fetch(`${two.url}/ready`)).ok, PATIENT)
  await publish('d')
  await both('a', 'b', 'c', 'd')

  const place = here.place()
  await here.close()
  await publish('e', 'f')
  await until(() => there.ids().length === 6, PATIENT)
  const moved = await connect(two.url, mine.accessToken, place)
  await until(() => moved.ids().length === 2, PATIENT)
  expect(moved.subscriptions()).toMatchObject([{ recovered: true, epoch: place.epoch }])
  await publish('g')
  await until(() => moved.ids().length === 3, PATIENT)
  expect(moved.ids()).toEqual(['e', 'f', 'g'])

  // The session of a client at the second gateway ends at the first.
  await post(one.url, '/auth/logout', {}, { authorization: `Bearer ${other.accessToken}` })
  expect(await there.closed).toBe(CLOSE.revoked)
  expect(there.ids()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
}, 120_000)

it('a topic that was made anew is another epoch, of which a client gets what follows', async () => {
  const { start, publish, renewTopic } = await prepare()
  const [one, two] = await start()
  const { accessToken } = await logIn(one.url)
  const client = await connect(one.url, accessToken)
  await publish('a', 'b')
  await until(() => client.ids().length === 2, PATIENT)
  const place = client.place()
  await one.close()
  await two.close()
  await renewTopic()

  const [, again] = await start()
  // Offset 0 is below where the client was, 1 is where it was, and 2 would follow it.
  await publish('x', 'y', 'z')
  const fresh = await connect(again.url, accessToken)
  await until(() => fresh.subscriptions().at(-1)?.['epoch'] !== place.epoch, PATIENT)
  const back = await connect(again.url, accessToken, place)
  expect(back.subscriptions()).toMatchObject([{ recovered: false, reason: 'other-epoch' }])
  const epoch = back.subscriptions()[0]?.['epoch']
  expect(epoch).not.toBe(place.epoch)
  const whole = await connect(again.url, accessToken, { epoch, positions: [] })
  await until(() => whole.ids().length === 3, PATIENT)
  await publish('last')
  await until(() => back.ids().includes('last') && whole.ids().includes('last'), PATIENT)
  expect(whole.ids()).toEqual(['x', 'y', 'z', 'last'])
  expect(back.ids().at(-1)).toBe('last')
  expect(new Set(back.ids()).size).toBe(back.ids().length)
}, 120_000)
