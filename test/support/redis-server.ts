import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { findRedis, systemTools } from '../../runtime/embedded/tools.ts'
import { until } from './until.ts'

/** A Redis of the test's own, that writes each command to disk before it answers, and can be killed. */
export interface RedisServer {
  readonly url: string
  /** Kills it with SIGKILL. */
  kill(): Promise<void>
  /** Starts it again, with what it has on disk. */
  start(): Promise<void>
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return address.port
}

/** The bundled programs of embedded services, fetched by an earlier start. */
const bundled = (): string[] => {
  const lib = resolve(import.meta.dirname, '../../.netsentinel/lib')
  return readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter(name => /redis-server[^/]*$/.test(name))
    .map(name => join(lib, name))
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve_, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.on('error', reject)
    socket.on('data', data => {
      resolve_(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
  })

/** Starts a Redis on a free port, with its data in a directory, and with further arguments. The caller kills it. */
export const startRedisServer = async (dir: string, more: readonly string[] = []): Promise<RedisServer> => {
  const port = await freePort()
  const command = await findRedis(systemTools(undefined), bundled())
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', dir]
  let child: ChildProcess | undefined
  const start = async () => {
    child = spawn(command, [...args, '--appendonly', 'yes', '--appendfsync', 'always', ...more], {
      stdio: 'ignore',
    })
    await until(() => answers(port), { what: 'redis' })
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
