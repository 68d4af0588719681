import { parseArgs } from 'node:util'
import { seedOfRun } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { startBroker, startSchemaRegistry } from './broker.ts'
import type { Member } from './member.ts'
import { createSystem, STAGES, type StageName, type System } from './system.ts'

/** `npm run soak -- --events N --kills N --seed N`: the long form of the tests beside it. */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(seedOfRun()) },
  },
})
const [events, kills, seed] = [Number(values.events), Number(values.kills), Number(values.seed)]

/** Members of each stage at the beginning. */
const MEMBERS: Readonly<Record<StageName, number>> = { ingest: 1, score: 2, alert: 1 }
/** A broker that is killed, and a member more for a while, after every so many kills. */
const [BROKER_EVERY, GUEST_EVERY] = [10, 6]
/** How a process is done away with, the likelier the more often. */
const WAYS = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGSTOP', 'SIGTERM'] as const

/** Batches as large as a busy system has them; a threat where the model that ships sees one, and a few below. */
const ENV = {
  TOPIC_PARTITIONS: '8',
  KAFKA_MAX_BYTES_PER_PARTITION: '131072',
  SCORING_THRESHOLD: '0.5',
  SCORING_MAX_ENTITIES: '100',
}

const began = performance.now()
const seconds = () => Math.round((performance.now() - began) / 1_000)
const tell = (line: string) => process.stderr.write(`${String(seconds()).padStart(5)} s  ${line}\n`)

/** Starts again what has ended by itself because a service was away when it started, as a supervisor does. */
const revive = (members: readonly Member<StageName>[]): number => {
  const ended = members.filter(member => member.failure()?.includes('with 4:'))
  for (const member of ended) member.start()
  return ended.length
}

const disturb = async (system: System, member: Member<StageName>): Promise<string> => {
  const way = WAYS[system.random.below(WAYS.length)] ?? 'SIGKILL'
  if (way === 'SIGSTOP') {
    const before = await system.members(member.stage)
    member.pause()
    await until(async () => (await system.members(member.stage)) < before, {
      what: 'the end of a session',
      timeoutMs: 60_000,
    })
    member.resume()
  } else {
    await (way === 'SIGKILL' ? member.kill() : member.leave())
    member.start()
  }
  return way
}

/** Feeds the system slice by slice, and does something to it in each, while it works. */
const run = async (system: System, broker: Awaited<ReturnType<typeof startBroker>>) => {
  const faults: Record<string, number> = {}
  const count = (what: string) => {
    faults[what] = (faults[what] ?? 0) + 1
  }
  const members = STAGES.flatMap(stage => Array.from({ length: MEMBERS[stage] }, () => system.start(stage)))
  const slice = Math.ceil(events / kills)
  let guest: Member<StageName> | undefined
  for (let kill = 1; kill <= kills; kill++) {
    await system.feed(Math.min(slice, events - slice * (kill - 1)))
    for (const stage of STAGES)
      await until(async () => (await system.lag(stage)) < 2 * slice, { timeoutMs: 300_000 })
    const victim = members[system.random.below(members.length)]
    if (victim === undefined) throw new Error('there are no members')
    await system.somewhere(victim.stage)
    const way = await disturb(system, victim)
    count(way)
    if (kill % GUEST_EVERY === 0) {
      await guest?.leave()
      guest = system.start(STAGES[system.random.below(STAGES.length)] ?? 'score')
      count('joined')
    }
    if (kill % BROKER_EVERY === 0) {
      await broker.kill()
      await broker.start()
      count('broker')
    }
    const revived = revive(guest === undefined ? members : [...members, guest])
    for (let i = 0; i < revived; i++) count('revived')
    tell(`${kill} of ${kills}: ${way} of ${victim.stage}; ${slice * kill} of ${events} records sent`)
  }
  tell('draining')
  await system.drained()
  return faults
}

const registry = await startSchemaRegistry()
const broker = await startBroker()
const system = await createSystem({
  brokers: broker.direct,
  schemaRegistryUrl: registry.url,
  seed,
  batch: 400,
  env: ENV,
})
try {
  tell(`${events} events, ${kills} kills, seed ${seed}`)
  const faults = await run(system, broker)
  const ran = seconds()
  tell('checking')
  const { problems, ...counts } = await system.check()
  for (const problem of problems) tell(problem)
  const result = { ...counts, seed, faults, seconds: { run: ran, check: seconds() - ran }, problems }
  process.stdout.write(`${JSON.stringify(result)}\n`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  await system.close()
  await broker.close()
  await registry.close()
}
