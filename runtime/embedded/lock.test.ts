import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { tempDir } from '../../test/support/temp.ts'
import { acquireLock, isAlive, startOf } from './lock.ts'
import { runningServices } from './running.ts'

const ADDRESSES = {
  kafkaBrokers: ['127.0.0.1:1', '127.0.0.1:2'],
  schemaRegistryUrl: 'http://127.0.0.1:3/apis/ccompat/v6',
  redisUrl: 'redis://127.0.0.1:4',
}

const lockOf = (directory: string) => join(directory, 'embedded.lock')

const leave = (directory: string, content: object | string) =>
  writeFileSync(lockOf(directory), typeof content === 'string' ? content : JSON.stringify(content))

const holder = (directory: string) => JSON.parse(readFileSync(lockOf(directory), 'utf8')) as { pid: number }

const deadPid = () => spawnSync('true').pid

describe('the lock of a data directory', () => {
  it('is refused while its holder lives, with the pid and what to do', async () => {
    const directory = tempDir()
    const lock = await acquireLock(directory)
    await expect(acquireLock(directory)).rejects.toMatchObject({
      code: 'NS_EMBEDDED_LOCKED',
      message: `process ${process.pid} uses ${directory}: stop it, or set DATA_DIR to another directory`,
    })
    lock.release()
    lock.release()
    expect(existsSync(lockOf(directory))).toBe(false)
    await acquireLock(directory)
  })

  it.each([
    ['whose holder is dead', () => ({ pid: deadPid(), started: 'then', children: [] })],
    ['whose pid is another process by now', () => ({ pid: process.pid, started: 'then', children: [] })],
    ['that was cut short', () => '{"pid":'],
    ['that is empty', () => ''],
  ])('is taken over from a lock %s', async (_, content) => {
    const directory = tempDir()
    leave(directory, content())
    await acquireLock(directory)
    expect(holder(directory)).toMatchObject({ pid: process.pid, started: startOf(process.pid) })
  })

  it('goes to one of several that find it stale at the same time', async () => {
    const directory = tempDir()
    leave(directory, { pid: deadPid(), started: 'then', children: [] })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(directory)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('is taken over only when the children of the dead holder are gone', async () => {
    const directory = tempDir()
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
    const pid = child.pid ?? 0
    leave(directory, {
      pid: deadPid(),
      started: 'then',
      children: [{ name: 'Kafka', pid, started: startOf(pid) }],
    })
    let taken = false
    const lock = acquireLock(directory).then(() => {
      taken = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(taken).toBe(false)
    child.kill('SIGKILL')
    await lock
    expect(isAlive(pid)).toBe(false)
  })

  it('does not wait for a process that only has the pid of a child', async () => {
    const directory = tempDir()
    const stranger = { name: 'Kafka', pid: process.pid, started: 'then' }
    leave(directory, { pid: deadPid(), started: 'then', children: [stranger] })
    await acquireLock(directory)
    expect(holder(directory).pid).toBe(process.pid)
  })

  it('says that a directory cannot be written', async () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, '')
    await expect(acquireLock(join(file, 'data'))).rejects.toMatchObject({
      code: 'NS_EMBEDDED_UNAVAILABLE',
      message: expect.stringContaining('set DATA_DIR to a directory that is'),
    })
  })
})

describe('the services that run on a data directory', () => {
  it('are those that the living holder of its lock has announced', async () => {
    const directory = tempDir()
    expect(runningServices(directory)).toEqual({})
    const lock = await acquireLock(directory)
    expect(runningServices(directory)).toEqual({})
    lock.announce(ADDRESSES)
    lock.addChild({ name: 'Kafka', pid: process.pid })
    expect(runningServices(directory)).toEqual({
      KAFKA_BROKERS: '127.0.0.1:1,127.0.0.1:2',
      SCHEMA_REGISTRY_URL: ADDRESSES.schemaRegistryUrl,
      REDIS_URL: ADDRESSES.redisUrl,
    })
    lock.release()
    expect(runningServices(directory)).toEqual({})
  })

  it('are none when the holder is dead', () => {
    const directory = tempDir()
    leave(directory, { pid: deadPid(), started: 'then', children: [], addresses: ADDRESSES })
    expect(runningServices(directory)).toEqual({})
  })
})
