import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { seedOfRun } from '../support/seed.ts'
import { services } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'
import { type Broker, startBroker } from './broker.ts'
import { FAULTS, startGateways } from './gateways.ts'

const seed = seedOfRun()

describe(`clients of two gateways (FAULT_SEED=${seed})`, () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker.close())

  it('get every threat that they may see once and in order, whatever of it all is killed', async () => {
    const gateways = await startGateways({
      brokers: broker.direct,
      schemaRegistryUrl: services().schemaRegistryUrl,
      seed,
      clients: 60,
      dataDir: tempDir(),
    })
    cleanUp(() => gateways.close())
    await gateways.publish(40)
    for (const fault of [...FAULTS, gateways.anyFault(), gateways.anyFault()]) {
      await gateways.disturb(fault, 40)
      await gateways.publish(20)
    }
    expect(await gateways.check()).toEqual([])
    expect(gateways.counts().returns).toBeGreaterThan(0)
  }, 360_000)
})
