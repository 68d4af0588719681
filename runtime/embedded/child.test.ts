import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { until } from '../../test/support/services.ts'
import { tempDir } from '../../test/support/temp.ts'
import { startChild } from './child.ts'
import { isAlive } from './lock.ts'

const start = (script: string, { graceMs = 5_000, directory = tempDir() } = {}) =>
  startChild({
    name: 'test',
    command: 'sh',
    args: ['-c', script],
    cwd: directory,
    logFile: join(directory, 'test.log'),
    graceMs,
  })

const logOf = (child: { logFile: string }) => readFileSync(child.logFile, 'utf8')

/** The pids that a script has written to its log, once there are `count`. */
const pidsIn = (child: { logFile: string }, count: number) =>
  until(() => {
    const pids = logOf(child).split('\n').slice(0, -1).map(Number)
    return pids.length >= count && pids
  })

describe('a child', () => {
  it('ends with its own exit code and leaves what it wrote, and what its predecessor wrote', async () => {
    const directory = tempDir()
    expect(await start('echo first; exit 3', { directory }).exited).toBe(3)
    const child = start('echo out; echo err >&2', { directory })
    expect(await child.exited).toBe(0)
    expect(logOf(child)).toBe('out\nerr\n')
    expect(readFileSync(`${child.logFile}.1`, 'utf8')).toBe('first\n')
  })

  it('is asked to stop, and may do so in its own way', async () => {
    const child = start(`trap 'echo bye; exit 0' TERM; echo $$; while :; do sleep 0.05; done`)
    await pidsIn(child, 1)
    await Promise.all([child.stop(), child.stop()])
    expect(logOf(child)).toMatch(/\nbye\n$/)
    await child.stop()
  })

  it('is killed, with everything that it started, when it does not stop', async () => {
    const child = start(`trap '' TERM; sleep 60 & echo $!; echo $$; wait`, { graceMs: 100 })
    const pids = await pidsIn(child, 2)
    await child.stop()
    expect(isAlive(pids[1] ?? 0)).toBe(false)
    await until(() => !isAlive(pids[0] ?? 0) && !isAlive(child.pid), { what: 'the end of the group' })
  })

  it('is not in the process group of its parent, so that Ctrl-C does not reach it', async () => {
    const child = start('sleep 60')
    expect(process.kill(-child.pid, 0)).toBe(true)
    await child.stop()
  })

  it('ends when its parent is killed and can do nothing about it', async () => {
    const directory = tempDir()
    const program = `
      import { startChild } from ${JSON.stringify(join(import.meta.dirname, 'child.ts'))}
      startChild({ name: 'test', command: 'sh', args: ['-c', 'echo $$; sleep 60 & echo $!; wait'], cwd: '.', graceMs: 1000, logFile: 'log' })
    `
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: directory,
      stdio: 'ignore',
    })
    const pids = await pidsIn({ logFile: join(directory, 'log') }, 2)
    expect(pids.filter(isAlive)).toEqual(pids)
    parent.kill('SIGKILL')
    await until(() => pids.filter(isAlive).length === 0, { what: 'the end of the child and its own' })
  })

  it('that cannot be found ends with 127 and says so in its log', async () => {
    const directory = tempDir()
    const logFile = join(directory, 'log')
    const child = startChild({
      name: 'test',
      command: '/nowhere/java',
      args: [],
      cwd: directory,
      logFile,
      graceMs: 0,
    })
    expect(await child.exited).toBe(127)
    expect(logOf(child)).toContain('/nowhere/java')
  })

  it('is refused where there is no such directory', () => {
    const directory = tempDir()
    expect(() =>
      startChild({
        name: 'test',
        command: 'true',
        args: [],
        cwd: join(directory, 'none'),
        logFile: join(directory, 'log'),
        graceMs: 0,
      }),
    ).toThrow(expect.objectContaining({ code: 'NS_EMBEDDED_UNAVAILABLE' }))
  })
})
