import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from '@jest/globals'
import { ADDRESS_VARIABLES } from './provision.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** The services that setup.ts got for this run. */
export const services = (): { kafkaBrokers: string[]; redisUrl: string; schemaRegistryUrl: string } => {
  const { KAFKA_BROKERS, REDIS_URL, SCHEMA_REGISTRY_URL } = process.env
  if (!KAFKA_BROKERS || !REDIS_URL || !SCHEMA_REGISTRY_URL) {
    throw new Error(
      `${ADDRESS_VARIABLES.join(', ')} are not set: this test belongs in test/integration, e2e or faults`,
    )
  }
  return {
    kafkaBrokers: KAFKA_BROKERS.split(','),
    redisUrl: REDIS_URL,
    schemaRegistryUrl: SCHEMA_REGISTRY_URL,
  }
}

/** A name that no other test uses, fit for topics, groups, subjects and Redis keys. */
export const unique = (name: string): string => `${name}-${randomBytes(6).toString('hex')}`

type Falsy = false | 0 | '' | null | undefined

/** How {@link until} waits. */
export interface UntilOptions {
  /** 20,000 when not given. */
  readonly timeoutMs?: number
  /** What is waited for, in the words of the error. */
  readonly what?: string
}

/**
 * Asks `predicate` again and again until it answers something truthy, which is returned. An error that it throws counts
 * as "not yet", and is the cause of the one thrown after `timeoutMs`.
 */
export const until = async <T>(
  predicate: () => T | Promise<T>,
  { timeoutMs = 20_000, what = 'the condition' }: UntilOptions = {},
): Promise<Exclude<T, Falsy>> => {
  const deadline = Date.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await predicate()
      if (answer) return answer as Exclude<T, Falsy>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (Date.now() >= deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`, { cause })
    await sleep(25)
  }
}

/** A running `netsentinel` command. */
export interface Cli {
  readonly pid: number
  /** Everything that it has written so far. */
  stdout(): string
  stderr(): string
  /** Resolves when it has ended and all of its output is there. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  kill(signal: NodeJS.Signals): void
}

const running = new Set<Cli>()

/**
 * Runs `netsentinel <args>` as a process of its own, with the environment of the tests and `env` over it (undefined
 * removes a variable). What still runs when the test file ends is killed.
 */
export const runCli = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Cli => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${process.execPath} cannot be started`)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  const cli: Cli = {
    pid,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited: new Promise(resolve => {
      child.once('close', (code, signal) => {
        running.delete(cli)
        resolve({ code, signal })
      })
    }),
    kill: signal => {
      child.kill(signal)
    },
  }
  running.add(cli)
  return cli
}

afterAll(async () => {
  for (const cli of running) cli.kill('SIGKILL')
  await Promise.all([...running].map(cli => cli.exited))
})
