import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, note } from '../pipeline/processes.ts'
import { perSecond } from '../pipeline/report.ts'
import { startClients } from './clients.ts'
import { deliver, type Finding, type Pattern, type Storm, settledKb, storm } from './measure.ts'
import { type BenchServer, prepareGround, startServers } from './servers.ts'
import * as tables from './tables.ts'

const USAGE = `usage: npm run bench -- gateway [--quick] [--bytes N] [--sockets N,N] [--json FILE]

  --quick    less than 2 minutes in place of about 12
  --bytes    of a message; 1,024 by default
  --sockets  numbers of subscribers; 10000,1000 by default
  --json     writes what was found to a file, too
`

const { values } = parseArgs({
  args: process.argv.slice(2).filter(arg => arg !== 'gateway'),
  options: {
    quick: { type: 'boolean', default: false },
    bytes: { type: 'string', default: '1024' },
    sockets: { type: 'string', default: '10000,1000' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const { quick } = values
const bytes = Number(values.bytes)
const rounds = quick ? 1 : 3
const print = (text: string) => process.stdout.write(`${text}\n\n`)

/** What is measured with so many subscribers: what the machine can deliver to that many, steadily and in bursts. */
const patternsFor = (sockets: number): Pattern[] =>
  sockets > 5_000
    ? [
        { perSecond: 2, atOnce: 1, seconds: quick ? 3 : 6, bytes },
        { perSecond: 1, atOnce: 64, seconds: quick ? 1 : 2, bytes },
      ]
    : [
        { perSecond: 50, atOnce: 1, seconds: quick ? 2 : 5, bytes },
        { perSecond: 100, atOnce: 1, seconds: quick ? 2 : 5, bytes },
        { perSecond: 1, atOnce: 64, seconds: quick ? 2 : 4, bytes },
        { perSecond: 1, atOnce: 500, seconds: 1, bytes },
      ]

const WARM_UP: Pattern = { perSecond: 20, atOnce: 5, seconds: 2, bytes }
const WARM_UP_SOCKETS = 100

/** In the full run, what the client that reads nothing is sent is more than the buffers of the system take. */
const DEAF: Pattern = { perSecond: 20, atOnce: 1, seconds: quick ? 3 : 15, bytes: 16_384 }

const MISSED = 64

const directory = mkdtempSync(join(tmpdir(), 'netsentinel-bench-'))
const ground = await prepareGround(directory)
const clients = startClients()
const servers: BenchServer[] = []
const findings: Finding[] = []
const kbOf = new Map<string, number>()
const storms: Storm[] = []

/** Opens the sockets of every server; the first time it is seen how much memory they take. */
const open = async (sockets: number) => {
  note(`${perSecond(sockets)} sockets of each server …`)
  for (const server of servers) {
    if (kbOf.has(server.name)) await clients.resize(server.target, sockets)
    else {
      const before = await settledKb(server)
      await clients.resize(server.target, sockets)
      kbOf.set(server.name, ((await settledKb(server)) - before) / (sockets - WARM_UP_SOCKETS))
    }
  }
}

/** Measures a pattern, round by round, so that whatever else the machine does meets all servers. */
const measure = async (pattern: Pattern) => {
  const found: Finding[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const server of servers) found.push(await deliver(server, clients, pattern))
  }
  print(tables.deliveries(found))
  findings.push(...found)
}

/** Measures what a client that reads nothing does to the others: without it and with it, by turns. */
const measureDeaf = async () => {
  const found: Finding[] = []
  for (let round = 0; round < (quick ? 1 : 2); round += 1) {
    for (const server of servers) {
      found.push(await deliver(server, clients, DEAF))
      await clients.deafen(server.target)
      found.push(await deliver(server, clients, DEAF, true))
      await clients.undeafen(server.target)
    }
  }
  print(tables.deliveries(found))
  print(tables.others(found))
  findings.push(...found)
}

try {
  servers.push(...(await startServers(ground, 'bench.')))
  const day = new Date().toISOString().slice(0, 10)
  print(`${machine()}\n\n${day}, ${rounds} rounds, medians (least–most)`)
  for (const server of servers) {
    await clients.resize(server.target, WARM_UP_SOCKETS)
    await deliver(server, clients, WARM_UP)
  }
  const [most = 0, ...fewer] = values.sockets.split(',').map(Number)
  await open(most)
  print(tables.memory(most, kbOf))
  for (const pattern of patternsFor(most)) await measure(pattern)
  for (const sockets of fewer) {
    await open(sockets)
    for (const pattern of patternsFor(sockets)) await measure(pattern)
  }
  await measureDeaf()
  const count = fewer.at(-1) ?? most
  for (const server of servers) storms.push(await storm(server, clients, { count, missed: MISSED, bytes }))
  print(tables.storms(storms))
  if (values.json !== undefined) {
    const found = { machine: machine(), day, findings, kbPerConnection: Object.fromEntries(kbOf), storms }
    writeFileSync(values.json, `${JSON.stringify(found, null, 2)}\n`)
  }
} finally {
  clients.close()
  for (const server of servers) await server.stop()
  ground.close()
  rmSync(directory, { recursive: true, force: true })
}
