import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { grants, userOf } from '../../connectors/kafka/acls.ts'
import { groupLag, topicOffsets } from '../../connectors/kafka/admin.ts'
import { createKafka, kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer, createTransactionalProducer } from '../../connectors/kafka/produce.ts'
import { createLogin } from '../../gateway/client/login.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { registryOf } from '../../pipelines/models/open.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { silentLog } from '../../runtime/log.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { startGuardedBroker } from '../faults/broker.ts'
import { createAuthority } from '../support/certificates.ts'
import type { Cli } from '../support/cli.ts'
import { NO_ORIGIN } from '../support/models.ts'
import { loginLine } from '../support/pipeline.ts'
import { runCli, unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const PATIENT = { timeoutMs: 120_000 }
const OWN = {
  TOPIC_PREFIX: `${unique('guarded')}.`,
  TOPIC_PARTITIONS: '2',
  SCORING_THRESHOLD: '0',
  MODELS_SIGNING_KEY: randomBytes(32).toString('base64url'),
}
const { topics: settings } = loadConfig({ topics: topicsConfig }, OWN)
const topics = topicCatalogue(settings)
const PROCESSES = [...new Set(grants(settings).map(({ process }) => process))]
const PASSWORD = 'for-tests-only'
const OUTSIDER = 'outsider'

const folder = tempDir()
const authority = createAuthority()
const { cert, key } = authority.issue('IP:127.0.0.1')
const [pem, password] = [join(folder, 'broker.pem'), join(folder, 'password')]

let broker: Awaited<ReturnType<typeof startGuardedBroker>>
beforeAll(async () => {
  writeFileSync(pem, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'))
  writeFileSync(password, PASSWORD)
  const users = [...PROCESSES.map(userOf), OUTSIDER]
  broker = await startGuardedBroker(pem, Object.fromEntries(users.map(name => [name, PASSWORD])))
}, 120_000)
afterAll(() => broker.close())

/** The settings of a process that runs as a user. */
const as = (user: string) => ({
  ...OWN,
  KAFKA_BROKERS: broker.guarded,
  KAFKA_SSL_CA: authority.ca,
  KAFKA_SASL_MECHANISM: 'scram-sha-512',
  KAFKA_SASL_USERNAME: user,
  KAFKA_SASL_PASSWORD_FILE: password,
  DATA_DIR: tempDir(),
  GATEWAY_PORT: '0',
  BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
})
const kafkaAs = (env: Readonly<Record<string, string>>) =>
  createKafka({ config: loadConfig({ kafka: kafkaConfig }, env).kafka, log: silentLog() })

const succeeds = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
  const cli = runCli(args, env)
  const { code } = await cli.exited
  expect([args, code, code === 0 ? '' : cli.stderr()]).toEqual([args, 0, ''])
}

/** Asks a gateway, as its administrator. */
const createAsk = (url: string) => {
  const login = createLogin(url, { username: 'admin', password: PASSWORD })
  return async (method: 'GET' | 'POST', path: string, body?: object) => {
    const answer = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${await login.accessToken()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: JSON.parse(await answer.text()) }
  }
}

/** Publishes a model that is not in force, as an administrator of Kafka. */
const publishModel = async (version: string) => {
  const sections = { kafka: kafkaConfig, topics: topicsConfig, models: modelsConfig, data: dataConfig }
  const config = loadConfig(sections, { ...OWN, KAFKA_BROKERS: broker.direct, DATA_DIR: tempDir() })
  const { manifest, onnx } = loadBaseline()
  const next = { ...manifest, version, sequence: manifest.sequence + 1 }
  await registryOf(config, silentLog()).publish({ manifest: next, onnx }, NO_ORIGIN)
}

it('works where TLS, SCRAM and an ACL for everything are demanded, each process as a user of its own', async () => {
  await succeeds(['acls', '--apply', '--least'], { ...OWN, KAFKA_BROKERS: broker.direct })
  await succeeds(['topics'], as(userOf('topics')))
  const commands = {
    ingest: 'ingest',
    scoring: 'score',
    alerting: 'alert',
    gateway: 'gateway',
    retraining: 'retrain',
    notify: 'notify',
  }
  expect(Object.keys(commands).toSorted()).toEqual(PROCESSES.filter(name => name !== 'topics').toSorted())
  const running = Object.entries(commands).map(([process, command]) => {
    const more =
      process === 'notify'
        ? { NOTIFY_WEBHOOKS: `http://127.0.0.1:9/ whsec_${'A'.repeat(43)}=`, NOTIFY_ALLOW_HTTP: '1' }
        : {}
    return runCli([command], { ...as(userOf(process)), ...more })
  })
  const linesOf = (cli: Cli) => cli.stdout() + cli.stderr()
  for (const cli of running) {
    const lines = () => linesOf(cli)
    const isStarted = () => lines().includes('"msg":"started"')
    await Promise.race([until(isStarted, PATIENT), cli.exited])
    expect(lines()).toContain('"msg":"started"')
  }
  const admin = kafkaAs({ KAFKA_BROKERS: broker.direct })
  const producer = await createBatchProducer({ kafka: admin })
  await producer.send(topics.rawEvents.name, [
    { key: null, value: loginLine() },
    { key: null, value: Buffer.from('{') },
  ])
  await producer.close()
  const written = async () => (await topicOffsets(admin, topics.threats.name)).some(({ high }) => high > 0)
  await until(written, { ...PATIENT, what: 'a threat' })

  await publishModel('next')
  const [, url = ''] = /gateway: (https?:\S+)/.exec(running.map(linesOf).join('')) ?? []
  const ask = createAsk(url)
  const letters = async () => (await ask('GET', '/dead-letters')).body.deadLetters
  await until(async () => (await letters()).length === 1, { ...PATIENT, what: 'a dead letter' })
  await until(async () => (await ask('GET', '/models/next')).status === 200, PATIENT)
  const [{ id }] = await letters()
  const promote = () => ask('POST', '/models/next/promote', { reason: 'tried' })
  const replay = () => ask('POST', '/dead-letters/replay', { ids: [id] })
  for (const refused of [await promote(), await replay()]) {
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('uthoriz') } })
  }
  await succeeds(['acls', '--apply'], { ...OWN, KAFKA_BROKERS: broker.direct })
  // The broker takes over ACLs a moment after it has answered.
  await until(async () => (await promote()).status === 200, { ...PATIENT, what: 'a promotion' })
  expect((await ask('GET', '/models/next')).body).toMatchObject({ state: 'champion' })
  expect(await replay()).toMatchObject({ status: 200, body: { replayed: [id], missing: 0 } })
  // It fails again, as what it is.
  await until(async () => (await letters()).length === 2, { ...PATIENT, what: 'the replayed dead letter' })
  for (const cli of running) cli.kill('SIGTERM')
  for (const cli of running) expect(await cli.exited).toMatchObject({ code: 0 })
}, 400_000)

it('refuses a process what belongs to another, and a stranger everything', async () => {
  const write = async (user: string) => {
    const producer = await createBatchProducer({ kafka: kafkaAs(as(user)) })
    try {
      await producer.send(topics.rawEvents.name, [{ key: null, value: loginLine() }])
    } finally {
      await producer.close()
    }
  }
  await expect(write(userOf('scoring'))).rejects.toMatchObject({ code: 'NS_KAFKA_REFUSED' })
  const scorer = kafkaAs(as(userOf('scoring')))
  const open = createTransactionalProducer({
    kafka: scorer,
    transactionalId: `${settings.prefix}ingest-0`,
    topics: [],
  })
  await expect(open).rejects.toMatchObject({ code: 'NS_KAFKA_REFUSED' })
  await expect(groupLag(scorer, `${settings.prefix}alerting`, topics.events.name)).rejects.toMatchObject({
    code: 'NS_KAFKA_REFUSED',
  })
  await expect(topicOffsets(kafkaAs(as(OUTSIDER)), topics.threats.name)).rejects.toMatchObject({
    code: 'NS_TOPIC_MISSING',
  })
}, 120_000)

it.each([
  ['with a wrong password', { KAFKA_SASL_PASSWORD_FILE: '', KAFKA_SASL_PASSWORD: 'wrong' }],
  ['without TLS', { KAFKA_SSL_CA: '' }],
  ['without trust in its certificate', { KAFKA_SSL_CA: '', KAFKA_SSL: '1' }],
])(
  'is not reached %s',
  async (_name, change) => {
    const kafka = kafkaAs({ ...as(userOf('scoring')), ...change })
    await expect(topicOffsets(kafka, topics.threats.name)).rejects.toMatchObject({
      code: expect.stringMatching(/^NS_(?:KAFKA_REFUSED|SERVICE_UNREACHABLE)$/),
    })
  },
  120_000,
)
