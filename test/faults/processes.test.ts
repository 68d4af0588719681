import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { API } from '../support/proxy.ts'
import { seedOfRun } from '../support/seed.ts'
import { services } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { until } from '../support/until.ts'
import { type Broker, startBroker } from './broker.ts'
import { createSystem, STAGES, type System } from './system.ts'

const seed = seedOfRun()

describe(`processes that are killed, stopped and restarted (FAULT_SEED=${seed})`, () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker.close())

  const systemUnderFault = async (
    env: Readonly<Record<string, string>> = {},
    brokers = broker.direct,
  ): Promise<System> => {
    const { schemaRegistryUrl } = services()
    const system = await createSystem({ brokers, direct: broker.direct, schemaRegistryUrl, seed, env })
    cleanUp(() => system.close())
    return system
  }

  it('kill -9 of ingest, scorer and alerter at random moments', async () => {
    const system = await systemUnderFault()
    await system.feed(5_000)
    const members = STAGES.map(stage => system.start(stage))
    for (let round = 0; round < 4; round++) {
      for (const member of members.filter(() => system.random.below(3) > 0)) {
        await system.somewhere(member.stage)
        await member.kill()
        member.start()
      }
    }
    await system.drained()
    const report = await system.check()
    expect(report).toMatchObject({ problems: [] })
    expect(report.alerts).toBeGreaterThan(10)
    // Records over the limit have been among them: of the event, and of one of the forms of a threat.
    expect(await system.letters()).toMatchObject({
      'ingest NS_TOO_LARGE': expect.any(Number),
      'scoring NS_TOO_LARGE': expect.any(Number),
    })
  }, 240_000)

  it('a process that is stopped past its session, and wakes up when another has done its work', async () => {
    const system = await systemUnderFault()
    for (const sleeper of STAGES.map(stage => system.start(stage))) {
      await system.feed(1_500)
      await system.somewhere(sleeper.stage)
      sleeper.pause()
      const heir = system.start(sleeper.stage)
      await until(() => heir.log().includes('joined the group'), { what: 'the heir', timeoutMs: 60_000 })
      await system.drained()
      sleeper.resume()
      await until(async () => (await system.members(sleeper.stage)) === 2, {
        what: 'its return',
        timeoutMs: 60_000,
      })
      // Of what it has again it had the state before the heir.
      await system.feed(500)
    }
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)

  it('each stage stopped in a transaction until the broker has ended that', async () => {
    const env = { KAFKA_TRANSACTION_TIMEOUT_MS: '1000', KAFKA_SESSION_TIMEOUT_MS: '30000' }
    const system = await systemUnderFault(env, broker.proxied)
    await system.feed(1_500)
    for (const stage of STAGES) {
      const stopped = broker.proxy.hold(API.endTxn)
      const member = system.start(stage)
      await stopped
      member.pause()
      expect(await system.transactions(stage)).not.toEqual([])
      await until(async () => (await system.transactions(stage)).length === 0, { what: 'its timeout' })
      broker.proxy.heal()
      member.resume()
      await system.drained(stage)
      await member.leave()
    }
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)

  it('instances that join and leave under load', async () => {
    const system = await systemUnderFault()
    const members = STAGES.map(stage => system.start(stage))
    for (let round = 0; round < 2; round++) {
      await system.feed(1_500)
      for (const stage of STAGES) {
        members.push(system.start(stage))
        await system.somewhere(stage)
      }
      const [leaver] = members.splice(system.random.below(members.length - STAGES.length), 1)
      await leaver?.leave()
    }
    // One that is told to leave while it is still joining.
    const hasty = system.start('alert')
    await until(() => hasty.log().includes('rules loaded'), { what: 'its first words', timeoutMs: 60_000 })
    await hasty.leave()
    for (const stage of STAGES) if (!members.some(member => member.stage === stage)) system.start(stage)
    await system.drained()
    expect(await system.check()).toMatchObject({ problems: [] })
  }, 240_000)
})
