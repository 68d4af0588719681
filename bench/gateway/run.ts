import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, note } from '../pipeline/processes.ts'
import { decimal, perSecond, spread, table } from '../pipeline/report.ts'
import { type Clients, startClients } from './clients.ts'
import { deliver, type Finding, type Pattern, settledKb } from './measure.ts'
import { type BenchServer, prepareGround, startServers } from './servers.ts'

const USAGE = `usage: npm run bench -- gateway [--quick] [--bytes N] [--sockets N,N] [--json FILE]

  --quick    less than 2 minutes in place of less than 10
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
const rounds = quick ? 1 : 3
const print = (text: string) => process.stdout.write(`${text}\n\n`)

/** What is measured with so many subscribers: what the machine can deliver to that many, steadily and in bursts. */
const patternsFor = (sockets: number): Pattern[] =>
  sockets > 5_000
    ? [
        { perSecond: 2, atOnce: 1, seconds: quick ? 3 : 6 },
        { perSecond: 1, atOnce: 64, seconds: quick ? 1 : 2 },
      ]
    : [
        { perSecond: 50, atOnce: 1, seconds: quick ? 2 : 5 },
        { perSecond: 100, atOnce: 1, seconds: quick ? 2 : 5 },
        { perSecond: 1, atOnce: 64, seconds: quick ? 2 : 4 },
        { perSecond: 1, atOnce: 500, seconds: 1 },
      ]

const WARM_UP: Pattern = { perSecond: 20, atOnce: 5, seconds: 2 }
const WARM_UP_SOCKETS = 100

/** Memory of a connection that only listens, in KB, by server. */
const idleMemory = async (servers: readonly BenchServer[], clients: Clients, sockets: number) => {
  const found = new Map<string, number>()
  for (const server of servers) {
    const before = await settledKb(server)
    await clients.resize(server.target, sockets)
    found.set(server.name, ((await settledKb(server)) - before) / (sockets - WARM_UP_SOCKETS))
  }
  return found
}

const printFindings = (findings: readonly Finding[]) => {
  const kinds = Map.groupBy(findings, each =>
    [perSecond(each.subscribers), each.perSecond, each.atOnce, each.server].join(' | '),
  )
  const rows = [...kinds].map(([kind, runs]) => {
    const show = (pick: (finding: Finding) => number) => spread(runs.map(pick), decimal)
    return [
      kind,
      show(each => each.cpuMicrosPerMessage),
      show(each => each.p50),
      show(each => each.p99),
      show(each => each.perRead),
      show(each => each.delivered * 100),
    ]
  })
  const head = ['subscribers', 'times a second', 'at once', 'server', 'CPU µs/message', 'p50 ms', 'p99 ms']
  print(table([...head, 'messages a read', '% delivered'], rows))
}

const directory = mkdtempSync(join(tmpdir(), 'netsentinel-bench-'))
const ground = await prepareGround(directory, Number(values.bytes))
const clients = startClients()
const servers: BenchServer[] = []
try {
  servers.push(...(await startServers(ground, 'bench.')))
  print(
    `${machine()}\n\n${new Date().toISOString().slice(0, 10)}, ${ground.payloadBytes} bytes a message, ${rounds} rounds, medians (least–most)`,
  )
  for (const server of servers) {
    await clients.resize(server.target, WARM_UP_SOCKETS)
    await deliver(server, clients, WARM_UP)
  }
  const findings: Finding[] = []
  let memory: Map<string, number> | undefined
  for (const sockets of values.sockets.split(',').map(Number)) {
    note(`${perSecond(sockets)} sockets of each server …`)
    if (memory === undefined) {
      memory = await idleMemory(servers, clients, sockets)
      print(
        table(
          ['server', `KB a connection, ${perSecond(sockets)} idle`],
          [...memory].map(([name, kb]) => [name, decimal(kb)]),
        ),
      )
    } else for (const { target } of servers) await clients.resize(target, sockets)
    for (const pattern of patternsFor(sockets)) {
      for (let round = 0; round < rounds; round += 1) {
        for (const server of servers) findings.push(await deliver(server, clients, pattern))
      }
      printFindings(findings.slice(-rounds * servers.length))
    }
  }
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      JSON.stringify({ machine: machine(), findings, memory: Object.fromEntries(memory ?? []) }, null, 2),
    )
  }
} finally {
  clients.close()
  for (const server of servers) await server.stop()
  ground.close()
  rmSync(directory, { recursive: true, force: true })
}
