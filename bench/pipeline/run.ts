import { parseArgs } from 'node:util'
import { makeBed } from './bed.ts'
import { fileLines, openCanaryLines, thresholdFor } from './feed.ts'
import { growthOf } from './growth.ts'
import { latencyAt } from './latency.ts'
import { memoryWith } from './memory.ts'
import { buildPeers } from './peers.ts'
import { machine, median, note } from './processes.ts'
import { decimal, perSecond, spread, table } from './report.ts'
import { scoringWhileRetraining } from './retraining.ts'
import { measureThroughput, NAMES, type Rounds } from './throughput.ts'

const USAGE = `usage: npm run bench -- pipeline [--quick] [--peers DIR] [--events N] [--rounds N] [--only PART[,PART]]

  --quick    about 4 minutes in place of about 25
  --peers    a folder of other scorers to run beside: kafka-streams/, python/, common/, requirements.txt
  --only     throughput, latency, growth, memory, retraining
`

const PARTS = ['throughput', 'latency', 'growth', 'memory', 'retraining']

const { values } = parseArgs({
  args: process.argv.slice(2).filter(arg => arg !== 'pipeline'),
  options: {
    quick: { type: 'boolean', default: false },
    peers: { type: 'string' },
    events: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const { quick } = values
const events = Number(values.events ?? (quick ? 150_000 : 1_000_000))
const rounds = Number(values.rounds ?? (quick ? 1 : 3))
const parts = values.only?.split(',') ?? PARTS
const print = (text: string) => process.stdout.write(`${text}\n\n`)

/** Events that thresholds are found with: so many, since entities are less unusual the better they are known. */
const SAMPLE = 200_000
/** One in so many of the events is a threat. */
const SHARE = 0.01
/** In the part on latency there are more, so that the slowest of them can be told. */
const LATENCY_SHARE = 0.1
/** Settings of the rounds that run by turns with the ones as they are set. */
const NO_INTERVAL = { KAFKA_FETCH_INTERVAL_MS: '0' }

const first = async (lines: Iterable<string> | AsyncIterable<string>, count: number): Promise<string[]> => {
  const some: string[] = []
  for await (const line of lines) {
    some.push(line)
    if (some.length === count) break
  }
  return some
}

const printThroughput = (found: Rounds) => {
  const rows = [...found].map(([name, runs]) => [
    name,
    ...(['rate', 'warmRate'] as const).map(key =>
      spread(
        runs.map(each => each[key]),
        perSecond,
      ),
    ),
    ...(['warmCpu', 'coldCpu', 'brokerCpu'] as const).map(key =>
      spread(
        runs.map(each => each[key]),
        decimal,
      ),
    ),
    spread(
      runs.map(each => each.peakMb),
      perSecond,
    ),
  ])
  const head = ['what', 'events/s', 'warm', 'CPU µs/event, warm', 'with start', 'broker µs/event', 'peak MB']
  print(table(head, rows).replaceAll('NaN', '–'))
  const rate = (name: string) => median((found.get(name) ?? []).map(each => each.rate))
  const ratio = (name: string, to: string) => (rate(name) / rate(to)).toFixed(2)
  print(
    table(
      ['ratio of events/s', ''],
      [
        ['scoring to the copy of `events`', ratio(NAMES.score, NAMES.copyEvents)],
        ['scoring to the copy of `raw-events`', ratio(NAMES.score, NAMES.copyRaw)],
        ['whole path to the copy of `raw-events`', ratio(NAMES.whole, NAMES.copyRaw)],
      ],
    ),
  )
}

const peers = values.peers === undefined ? undefined : await buildPeers(values.peers, events)
const bed = await makeBed()
try {
  const lines = () => (peers === undefined ? openCanaryLines({ events }) : fileLines(peers.file))
  const sample = await first(lines(), Math.min(events, SAMPLE))
  const scratch = await bed.pipeline()
  const threshold = await thresholdFor(scratch, sample, SHARE)
  print(
    `${machine()}\n\n${new Date().toISOString().slice(0, 10)}, ${events.toLocaleString('en')} events, ${rounds} rounds, medians (least–most)`,
  )
  if (parts.includes('throughput')) {
    printThroughput(await measureThroughput({ bed, events, rounds, threshold, peers }))
    if (peers === undefined) print('Scorers of others were not run: no `--peers`.')
  }
  if (parts.includes('latency')) {
    const made = await first(openCanaryLines({ events: SAMPLE }), SAMPLE)
    const often = await thresholdFor(scratch, made, LATENCY_SHARE)
    const rows: string[][] = []
    const at = async (rate: number, env: Readonly<Record<string, string>> = {}) => {
      note(`latency at ${rate}/s …`)
      const pipeline = await bed.pipeline()
      const { brokerPid } = bed
      const seconds = quick ? 10 : 30
      const result = await latencyAt({ pipeline, brokerPid, rate, seconds, threshold: often, env })
      await bed.drop(pipeline)
      return result
    }
    // A broker compiles what it does again and again for minutes, and is slower meanwhile.
    if (!quick && !parts.includes('throughput')) for (const _ of ['once', 'twice']) await at(2_000)
    const byTurns = Array.from({ length: rounds }, () => [{}, NO_INTERVAL]).flat()
    const runs = [...byTurns.map(env => ({ rate: 2_000, env })), { rate: 500, env: {} }]
    for (const { rate, env } of quick ? runs : [...runs, { rate: 5_000, env: {} }]) {
      const result = await at(rate, env)
      rows.push([
        perSecond(rate),
        env === NO_INTERVAL ? 'none' : 'as set',
        ...[result.p50, result.p99, result.p999].map(ms => `${ms} ms`),
        result.cpu.map(decimal).join(' + '),
        perSecond(result.threats),
      ])
    }
    const cpu = 'CPU µs/event, ingest + scoring + broker'
    print(table(['events/s', 'fetch interval', 'p50', 'p99', 'p99.9', cpu, 'threats'], rows))
  }
  if (parts.includes('growth')) {
    const found = await growthOf(bed, quick ? 60_000 : 200_000, threshold)
    const rows = found.map(([{ name }, result]) => [
      name,
      perSecond(result.warmRate),
      decimal(result.warmCpu),
      decimal(result.brokerCpu),
      perSecond(result.peakMb),
    ])
    print(table(['scoring with', 'events/s, warm', 'CPU µs/event, warm', 'broker µs/event', 'peak MB'], rows))
  }
  if (parts.includes('memory')) {
    note('100,000 entities …')
    const result = await memoryWith(bed, 100_000, quick ? 300_000 : 1_000_000, threshold)
    const seconds = `${result.restoreSeconds.toFixed(1)} s`
    print(
      table(
        ['live entities', 'peak MB while catching up', 'restored in', 'peak MB while restoring'],
        [[perSecond(result.entities), perSecond(result.backlogMb), seconds, perSecond(result.restoreMb)]],
      ),
    )
  }
  if (parts.includes('retraining')) {
    const { alone, beside, cores, jobSeconds, jobBeside } = await scoringWhileRetraining(
      bed,
      events,
      threshold,
    )
    const kept = `${Math.round((beside.warmRate / alone.warmRate) * 100)} %`
    print(
      table(
        [
          'scoring alone, events/s',
          'beside retraining',
          'kept',
          'cores that retraining took',
          'a job until its model is tried',
          'of it beside the scorer',
        ],
        [
          [
            perSecond(alone.warmRate),
            perSecond(beside.warmRate),
            kept,
            cores.toFixed(2),
            `${jobSeconds.toFixed(1)} s`,
            `${Math.round(jobBeside * 100)} %`,
          ],
        ],
      ),
    )
  }
} finally {
  await bed.close()
  peers?.close()
}
