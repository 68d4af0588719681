import { describe, expect, it } from '@jest/globals'
import { deadLetter } from '../../connectors/dead-letters.ts'
import { ensureTopics } from '../../connectors/kafka/admin.ts'
import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { createBatchProducer } from '../../connectors/kafka/produce.ts'
import { redisConfig } from '../../connectors/redis.ts'
import { createSoloWorker } from '../../connectors/solo-queue.ts'
import type { RetrainingJob } from '../../gateway/back-office.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { openBackOffice } from '../../pipelines/back-office.ts'
import { registryOf } from '../../pipelines/models/open.ts'
import { loadConfig } from '../../runtime/config.ts'
import { dataConfig } from '../../runtime/data.ts'
import { isSentinelError, SentinelError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { topicCatalogue, topicsConfig } from '../../schemas/topics.ts'
import { createTestApp } from '../support/app.ts'
import { makeModel, NO_ORIGIN } from '../support/models.ts'
import { services, unique, until } from '../support/services.ts'
import { cleanUp, readAll, testKafka } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'

const SECTIONS = {
  kafka: kafkaConfig,
  topics: topicsConfig,
  redis: redisConfig,
  models: modelsConfig,
  data: dataConfig,
}

/** An application on a back office of its own, on real Kafka and Redis, and what asks it as an administrator. */
const create = async () => {
  const { kafkaBrokers, redisUrl } = services()
  const config = loadConfig(SECTIONS, {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    REDIS_URL: redisUrl,
    TOPIC_PREFIX: `${unique('office')}.`,
    TOPIC_PARTITIONS: '1',
    DATA_DIR: tempDir(),
  })
  const topics = topicCatalogue(config.topics)
  await ensureTopics(testKafka(), [topics.models, topics.deadLetters, topics.rawEvents])
  const log = silentLog()
  const backOffice = await openBackOffice({ config, log })
  cleanUp(() => backOffice.close())
  const champions: unknown[] = []
  const jobs: RetrainingJob[] = []
  await backOffice.follow({
    pointers: ({ champion }) => champions.push(champion?.version),
    retraining: job => jobs.push(job),
  })
  const { ask, tokenOf } = await createTestApp({ backOffice })
  const token = await tokenOf('admin')
  const get = async (url: string) => (await ask('GET', url, { token })).json()
  const post = (url: string, body: object) => ask('POST', url, { token, body })
  const remove = (url: string) => ask('DELETE', url, { token })
  return { config, topics, log, get, post, remove, champions, jobs }
}

describe('the back office', () => {
  it('puts models in force by the registry that scorers follow, and back again', async () => {
    const { config, log, get, post, champions } = await create()
    const registry = registryOf(config, log)
    const { manifest, onnx } = loadBaseline()
    const model = { manifest: { ...manifest, version: 'next', sequence: manifest.sequence + 1 }, onnx }
    await registry.publish(model, NO_ORIGIN)
    await registry.publish(makeModel('hollow'), NO_ORIGIN)
    await until(async () => (await get('/models')).models.length === 2)
    const promoted = await post('/models/next/promote', { reason: 'tried' })
    expect(promoted.json()).toMatchObject({ version: 'next' })
    expect((await registry.list()).pointer('champion')).toMatchObject({
      version: 'next',
      reason: 'admin: tried',
    })
    expect(await get('/models/next')).toMatchObject({ state: 'champion', pointers: [{ role: 'champion' }] })
    // It is tried as a scorer would: its bytes are no model.
    expect((await post('/models/hollow/promote', { reason: 'x' })).statusCode).toBe(409)
    const back = await post('/models/rollback', { reason: 'worse' })
    expect(back.json()).toMatchObject({ version: manifest.version })
    expect((await registry.list()).pointer('champion')?.version).toBe(manifest.version)
    expect([...new Set(champions)]).toEqual([undefined, 'next', manifest.version])
  })

  it('asks for a retraining, tells how far it has come, and cancels one that is being done', async () => {
    const { config, log, get, post, remove, jobs } = await create()
    const { id } = (await post('/retraining/jobs', {})).json()
    expect(await get(`/retraining/jobs/${id}`)).toMatchObject({ state: 'waiting' })
    const reasons: unknown[] = []
    const worker = createSoloWorker<unknown, never>({
      redis: config.redis,
      prefix: config.topics.prefix,
      name: 'retrain',
      log,
      onFailed: () => undefined,
      run: async (job, signal) => {
        job.progress({ phase: 'train', done: 0.5 })
        const { promise, reject } = Promise.withResolvers<never>()
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason)
          reject(signal.reason)
        })
        return promise
      },
    })
    cleanUp(() => worker.close())
    await until(async () => (await get(`/retraining/jobs/${id}`)).progress?.done === 0.5)
    await until(() => jobs.at(-1)?.progress?.done === 0.5)
    expect(jobs.at(-1)).toEqual(await get(`/retraining/jobs/${id}`))
    expect((await remove(`/retraining/jobs/${id}`)).statusCode).toBe(204)
    await until(async () => (await get(`/retraining/jobs/${id}`)).state === 'failed')
    expect(await get(`/retraining/jobs/${id}`)).toMatchObject({
      result: { outcome: 'failed', reason: 'cancelled' },
    })
    await until(() => jobs.at(-1)?.state === 'failed')
    expect(jobs.at(-1)).toEqual(await get(`/retraining/jobs/${id}`))
    expect(reasons.map(reason => isSentinelError(reason, 'NS_CANCELLED'))).toEqual([true])
    expect((await remove(`/retraining/jobs/${id}`)).statusCode).toBe(404)
  })

  it('takes a retraining that nobody has begun off the queue', async () => {
    const { get, post, remove, jobs } = await create()
    const { id } = (await post('/retraining/jobs', {})).json()
    await until(() => jobs.at(-1)?.state === 'waiting')
    expect((await remove(`/retraining/jobs/${id}`)).statusCode).toBe(204)
    expect(await get('/retraining/jobs')).toEqual({ jobs: [] })
    await until(() => jobs.at(-1)?.state === 'failed')
    expect(jobs.at(-1)).toMatchObject({ id, result: { outcome: 'failed', reason: 'cancelled' } })
  })

  it('shows dead letters masked, the latest first, and writes them back once', async () => {
    const { topics, get, post } = await create()
    const kafka = testKafka()
    const producer = await createBatchProducer({ kafka })
    cleanUp(() => producer.close())
    const values = ['{"password":"hunter2"', 'other']
    const letters = values.map((value, i) =>
      deadLetter({
        topic: topics.deadLetters.name,
        stage: 'ingest',
        record: {
          topic: topics.rawEvents.name,
          partition: 0,
          offset: i,
          timestamp: 1_700_000_000_000 + i,
          key: null,
          value: Buffer.from(value),
          headers: {},
        },
        error: new SentinelError('NS_NOT_JSON', 'it is not JSON'),
      }),
    )
    await producer.send(topics.deadLetters.name, letters)
    const { deadLetters } = await get('/dead-letters?source=raw-events')
    const ids = deadLetters.map(({ id }: { id: string }) => id)
    expect(ids).toEqual([`${topics.deadLetters.name}-0-1`, `${topics.deadLetters.name}-0-0`])
    const shown = await get(`/dead-letters/${ids[1]}`)
    expect(shown).toMatchObject({ code: 'NS_NOT_JSON', replayed: null })
    expect(JSON.stringify(shown)).not.toContain('hunter2')
    const missing = `${topics.deadLetters.name}-0-77`
    const replay = { ids: [ids[0], missing] }
    expect((await post('/dead-letters/replay', replay)).json()).toMatchObject({
      replayed: [ids[0]],
      missing: 1,
    })
    expect((await post('/dead-letters/replay', replay)).json()).toMatchObject({
      replayed: [],
      replayedBefore: 1,
    })
    expect((await readAll(kafka, topics.rawEvents.name)).map(({ value }) => String(value))).toEqual(['other'])
    const { deadLetters: pending } = await get('/dead-letters?pending=true&limit=5')
    expect(pending.map(({ id }: { id: string }) => id)).toEqual([ids[1]])
  })
})
