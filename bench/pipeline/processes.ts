import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join, resolve } from 'node:path'

/** The repository. */
export const ROOT = resolve(import.meta.dirname, '../..')

/** Says what is going on, beside the table on standard output. */
export const note = (line: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Clock ticks a second in which Linux counts CPU time. */
const TICKS = 100

/** CPU seconds of a process, user and system, all its threads; 0 when it is gone. */
export const cpuSecondsOf = (pid: number): number => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    // It has ended; what it had used is no longer to be known.
    return 0
  }
}

/** The most memory that a process has had resident, in MB; 0 when it is gone. */
export const peakMbOf = (pid: number): number => {
  try {
    const line = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Math.round(Number(line?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}

const parentOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1] ?? 0)

/** The process below this one whose command line holds a word. */
export const descendant = (word: string): number | undefined => {
  const isOurs = (pid: number): boolean => pid > 1 && (pid === process.pid || isOurs(parentOf(pid)))
  return readdirSync('/proc')
    .map(Number)
    .find(pid => {
      if (!Number.isInteger(pid)) return false
      try {
        const [program = '', ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return program.endsWith('java') && words.includes(word) && isOurs(pid)
      } catch {
        return false
      }
    })
}

/** A process of ours. */
export interface Stage {
  readonly name: string
  readonly pid: number
  /** Whether it has ended by itself. */
  ended(): boolean
  /** Its log so far, one JSON object a line. */
  log(): string
  stop(): Promise<void>
}

const exitOf = (child: ChildProcess) => new Promise<void>(done => child.once('close', () => done()))

/** The limits on memory that `docs/operations.md` asks for. */
const MEMORY = { NODE_OPTIONS: '--max-old-space-size=256 --max-semi-space-size=32', MALLOC_ARENA_MAX: '1' }

/** Starts `netsentinel <command>` as an own process. */
export const startStage = (command: string, env: Readonly<Record<string, string>>): Stage => {
  const child = spawn(process.execPath, [join(ROOT, 'main.ts'), command], {
    cwd: ROOT,
    env: { ...process.env, ...MEMORY, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = exitOf(child)
  let [ended, log] = [false, '']
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      log += chunk.toString('utf8')
    })
  void exited.then(() => {
    ended = true
  })
  return {
    name: command,
    pid: child.pid ?? 0,
    ended: () => ended,
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Runs a program to its end and gives what it wrote to standard output. Throws when it fails. */
export const run = async (
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> => {
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8')
  })
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail)
    child.once('close', done)
  })
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}: ${(err || out).slice(-800)}`)
  return out
}

/** The machine, in a few words. */
export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
  `Node ${process.versions.node}; broker, producers and pipeline on these cores`
