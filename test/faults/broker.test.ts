import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { API } from '../support/proxy.ts'
import { seedOfRun } from '../support/seed.ts'
import { services } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { type Broker, startBroker } from './broker.ts'
import { createSystem, STAGES, type System } from './system.ts'

const seed = seedOfRun()

describe(`a broker that fails its clients (FAULT_SEED=${seed})`, () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker.close())

  const systemUnderFault = async (env: Readonly<Record<string, string>> = {}): Promise<System> => {
    const { schemaRegistryUrl } = services()
    const { proxied, direct } = broker
    const system = await createSystem({
      brokers: proxied,
      direct,
      schemaRegistryUrl,
      seed,
      revived: true,
      env,
    })
    cleanUp(() => system.close())
    return system
  }

  it('killed in the middle of transactions, and started again', async () => {
    const system = await systemUnderFault()
    await system.feed(3_000)
    for (const stage of STAGES) system.start(stage)
    for (const stage of STAGES) {
      await system.somewhere(stage)
      await broker.proxy.hold(API.endTxn)
      await broker.kill()
      broker.proxy.heal()
      await broker.start()
      await system.feed(500)
    }
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)

  it.each(['drop', 'cut'] as const)(
    'answers to what is written are lost (%s), until stages give up',
    async fault => {
      const system = await systemUnderFault({ KAFKA_REQUEST_TIMEOUT_MS: '500' })
      await system.feed(1_500)
      const members = STAGES.map(stage => system.start(stage))
      const failed = () => members.reduce((sum, member) => sum + member.failedBatches(), 0)
      // Giving up takes a stage a dozen tries: one of them, drawn by the seed, is met at work.
      await system.somewhere(STAGES[system.random.below(STAGES.length)] ?? 'score')
      const before = failed()
      broker.proxy.fault(API.produce, fault)
      await system.feed(200)
      await until(() => failed() > before, { what: 'a stage that gives up', timeoutMs: 120_000 })
      broker.proxy.heal()
      await system.drained()
      expect(await system.check()).toMatchObject({ problems: [] })
    },
    240_000,
  )

  it('answers to commits are lost', async () => {
    const system = await systemUnderFault({ KAFKA_REQUEST_TIMEOUT_MS: '500' })
    await system.feed(1_500)
    for (const stage of STAGES) system.start(stage)
    for (const fault of ['drop', 'cut', 'drop', 'cut'] as const) {
      await system.somewhere(STAGES[system.random.below(STAGES.length)] ?? 'score')
      const before = broker.proxy.faults(API.endTxn)
      broker.proxy.fault(API.endTxn, fault, 5)
      await system.feed(500)
      await until(() => broker.proxy.faults(API.endTxn) === before + 5, {
        what: 'five lost answers',
        timeoutMs: 120_000,
      })
    }
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)
})
