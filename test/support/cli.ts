import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

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

/**
 * Starts `netsentinel <args>` as a process of its own, with the environment of this one and `env` over it (undefined
 * removes a variable). A gateway puts nothing off because the machine is busy: with tests, it is.
 */
export const startCli = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Cli => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, NODE_OPTIONS: undefined, GATEWAY_MAX_LAG_MS: '0', ...env },
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
  return {
    pid,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exited: new Promise(done => {
      child.once('close', (code, signal) => done({ code, signal }))
    }),
    kill: signal => {
      child.kill(signal)
    },
  }
}
