import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Bed } from './bed.ts'
import { note, run } from './processes.ts'

/** What the peers' own measuring program says of a run. */
export interface PeerResult {
  readonly events_per_s: number
  readonly second_half_per_s: number | null
  readonly cpu_us_per_event: number
  readonly cpu_us_second_half: number | null
  readonly broker_cpu_us_per_event: number
  readonly peak_rss_mb: number
}

/** The scorers of others, built. */
export interface Peers {
  /** The events that they work on, a JSON object a line. */
  readonly file: string
  readonly events: number
  /** Puts the events on the broker. */
  load(bed: Bed): Promise<void>
  /** Names of those that can be run. */
  readonly names: readonly string[]
  run(name: string, bed: Bed): Promise<PeerResult>
  close(): void
}

interface Peer {
  readonly command: (build: string) => readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const streams = (rows: number): Peer => ({
  command: build => {
    const jars = join(build, 'kafka-streams/target')
    const classes = `${join(jars, 'kafka-streams-1.jar')}:${join(jars, 'libs')}/*`
    return ['java', '-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classes, 'peers.Main']
  },
  env: { THREADS: '1', ROWS: String(rows) },
})

const PEERS: Readonly<Record<string, Peer>> = {
  'Kafka Streams, 1 thread, micro-batches of 256': streams(256),
  'Kafka Streams, 1 thread, each record at once': streams(1),
  'Python, state with changelog': {
    command: build => [join(build, 'venv/bin/python'), join(build, 'python/score.py')],
    env: { STATE: 'changelog' },
  },
}

/**
 * Builds the scorers in a folder with `kafka-streams/` (a pom), `python/score.py`, `requirements.txt` and
 * `common/{prepare,load,measure}.py`, in a temporary copy of it, and makes their events. Throws when one does not build.
 */
export const buildPeers = async (directory: string, events: number): Promise<Peers> => {
  const source = resolve(directory)
  if (!existsSync(join(source, 'common/measure.py'))) throw new Error(`${source} holds no peers`)
  const build = mkdtempSync(join(tmpdir(), 'netsentinel-peers-'))
  cpSync(source, build, { recursive: true })
  const python = join(build, 'venv/bin/python')
  const data = join(build, 'data')
  note('building the peers …')
  await run('python3', ['-m', 'venv', join(build, 'venv')])
  await run(python, ['-m', 'pip', 'install', '-q', '-r', join(build, 'requirements.txt')])
  await run('mvn', ['-q', 'package'], { cwd: join(build, 'kafka-streams') })
  note(`making ${events.toLocaleString('en')} events …`)
  await run(python, [join(build, 'common/prepare.py'), data, String(events)])
  const envOf = ({ brokers, brokerPid }: Bed) => ({
    KAFKA_BROKERS: brokers.join(','),
    BROKER_PID: String(brokerPid),
    EVENTS: String(events),
    MODEL_DIR: data,
    STATE_DIR: join(build, 'state'),
    PYTHONDONTWRITEBYTECODE: '1',
  })
  return {
    file: join(data, 'events.ndjson'),
    events,
    load: async bed => {
      await run(python, [join(build, 'common/load.py'), data], { env: envOf(bed) })
    },
    names: Object.keys(PEERS),
    run: async (name, bed) => {
      const peer = PEERS[name]
      if (peer === undefined) throw new Error(`there is no peer ${name}`)
      rmSync(join(build, 'state'), { recursive: true, force: true })
      const measure = [join(build, 'common/measure.py'), 'peer', 'threats-json', '--', ...peer.command(build)]
      const out = await run(python, measure, { env: { ...envOf(bed), ...peer.env } })
      return JSON.parse(out.trim().split('\n').at(-1) ?? '') as PeerResult
    },
    close: () => rmSync(build, { recursive: true, force: true }),
  }
}
