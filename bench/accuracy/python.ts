import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const VENV = here('../.venv/')

/** Runs a program and gives its lines; rejects when it ends badly. */
const linesOf = async function* (program: string, args: readonly string[]): AsyncGenerator<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = Promise.withResolvers<number | null>()
  child.once('error', ended.reject)
  child.once('close', ended.resolve)
  yield* createInterface({ input: child.stdout })
  const code = await ended.promise
  if (code !== 0) throw new TypeError(`${program} ${args[0]} ended with code ${code}`)
}

const run = async (program: string, args: readonly string[]): Promise<void> => {
  for await (const line of linesOf(program, args)) process.stderr.write(`${line}\n`)
}

/** Makes the virtual environment with the peers, once: `python3` with `venv` is asked for. */
export const installPeers = async (): Promise<void> => {
  const done = join(VENV, 'installed')
  if (existsSync(done)) return
  await run('python3', ['-m', 'venv', VENV])
  await run(join(VENV, 'bin/pip'), ['install', '--quiet', '--requirement', here('requirements.txt')])
  writeFileSync(done, '')
}

/** Runs one of the scripts beside this file with the peers at hand; each line that it prints is JSON. */
export const runPython = async function* <T>(script: string, ...args: readonly string[]): AsyncGenerator<T> {
  for await (const line of linesOf(join(VENV, 'bin/python'), [here(script), ...args]))
    yield JSON.parse(line) as T
}
