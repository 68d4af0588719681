import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seedOfRun } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { type Broker, startBroker, startSchemaRegistry } from './broker.ts'
import type { Member } from './member.ts'
import { soakGateways } from './soak-gateways.ts'
import { createSystem, STAGES, type StageName, type System } from './system.ts'

/**
 * `npm run soak -- --events N --kills N --seed N --minutes N` (at most): the long form of the tests beside it. Then, with
 * `--clients N --client-minutes N`, that of the gateways.
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(seedOfRun()) },
    minutes: { type: 'string', default: '60' },
    containers: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000' },
    'client-minutes': { type: 'string', default: '5' },
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

const disturb = async (
  system: System,
  members: readonly Member<StageName>[],
  member: Member<StageName>,
): Promise<string> => {
  const way = WAYS[system.random.below(WAYS.length)] ?? 'SIGKILL'
  if (way === 'SIGSTOP') {
    const patient = { timeoutMs: 120_000 }
    await until(() => member.log().includes('joined the group'), { ...patient, what: 'a member' })
    member.pause()
    const others = members.filter(({ stage }) => stage === member.stage).length - 1
    await until(async () => (await system.members(member.stage)) <= others, {
      ...patient,
      what: 'the end of a session',
    })
    member.resume()
  } else {
    await (way === 'SIGKILL' ? member.kill() : member.leave())
    member.start()
  }
  return way
}

/** Feeds the system slice by slice, and does something to it in each, while it works. */
const run = async (system: System, broker: Broker) => {
  const faults: Record<string, number> = {}
  const count = (what: string) => {
    faults[what] = (faults[what] ?? 0) + 1
  }
  const members = STAGES.flatMap(stage => Array.from({ length: MEMBERS[stage] }, () => system.start(stage)))
  const slice = Math.ceil(events / kills)
  const guests: Member<StageName>[] = []
  for (let kill = 1; kill <= kills; kill++) {
    await system.feed(Math.min(slice, events - slice * (kill - 1)))
    for (const stage of STAGES)
      await until(async () => (await system.lag(stage)) < 2 * slice, { timeoutMs: 300_000 })
    const present = [...members, ...guests.slice(-1)]
    const victim = members[system.random.below(members.length)]
    if (victim === undefined) throw new Error('there are no members')
    await system.somewhere(victim.stage)
    const way = await disturb(system, present, victim)
    count(way)
    if (kill % GUEST_EVERY === 0) {
      await guests.at(-1)?.leave()
      guests.push(system.start(STAGES[system.random.below(STAGES.length)] ?? 'score'))
      count('joined')
    }
    if (kill % BROKER_EVERY === 0) {
      await broker.kill()
      await broker.start()
      count('broker')
    }
    tell(`${kill} of ${kills}: ${way} of ${victim.stage}; ${slice * kill} of ${events} records sent`)
  }
  tell('draining')
  await system.drained()
  faults['revived'] = [...members, ...guests].reduce((sum, member) => sum + member.revivals(), 0)
  return faults
}

/** Rejects when it takes too long, so that all is closed and the exit code tells. */
const overdue = (minutes: number) =>
  new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`not done within ${minutes} minutes`)), minutes * 60_000).unref()
  })

const soak = async (system: System, broker: Broker) => {
  tell(`${events} events, ${kills} kills, seed ${seed}`)
  const faults = await run(system, broker)
  const ran = seconds()
  tell('checking')
  const { problems, ...counts } = await system.check()
  for (const problem of problems) tell(problem)
  const result = { ...counts, seed, faults, seconds: { run: ran, check: seconds() - ran }, problems }
  process.stdout.write(`${JSON.stringify(result)}\n`)
  return problems.length === 0 ? 0 : 1
}

const registry = await startSchemaRegistry()
const broker = await startBroker()
const services = { brokers: broker.direct, schemaRegistryUrl: registry.url, seed }

const soakPipeline = async () => {
  const system = await createSystem({ ...services, batch: 400, revived: true, env: ENV })
  try {
    return await Promise.race([soak(system, broker), overdue(Number(values.minutes))])
  } finally {
    await system.close()
  }
}

const [clients, minutes] = [Number(values.clients), Number(values['client-minutes'])]
try {
  const codes = [
    events > 0 ? await soakPipeline() : 0,
    clients > 0 ? await soakGateways({ ...services, clients, minutes, tell }) : 0,
  ]
  process.exitCode = Math.max(...codes)
} finally {
  await broker.close()
  await registry.close()
}

if (values.containers !== '0' && process.exitCode === 0) {
  const args = ['--minutes', values.containers, '--seed', String(seed)]
  const script = join(import.meta.dirname, 'containers.ts')
  const [code] = await once(spawn(process.execPath, [script, ...args], { stdio: 'inherit' }), 'close')
  process.exitCode = code ?? 1
}
