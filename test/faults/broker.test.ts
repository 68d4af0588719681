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
    const system = await createSystem({ brokers: proxied, direct, schemaRegistryUrl, seed, env })
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

  it('answers that are lost, to what is written and to commits, and those in the middle of which the connection ends', async () => {
    const system = await systemUnderFault({ KAFKA_REQUEST_TIMEOUT_MS: '1000' })
    await system.feed(1_500)
    for (const stage of STAGES) system.start(stage)
    for (const api of ['produce', 'endTxn'] as const)
      for (const fault of ['drop', 'cut'] as const) {
        await system.somewhere(STAGES[system.random.below(STAGES.length)] ?? 'score')
        const before = broker.proxy.faults(API[api])
        broker.proxy.fault(API[api], fault, 5)
        await system.feed(500)
        await until(() => broker.proxy.faults(API[api]) === before + 5, {
          what: `five answers to ${api} that are lost (${fault})`,
          timeoutMs: 60_000,
        })
      }
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)
})
