import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from './child.ts'
import { ask, type Probe, untilReady } from './ready.ts'
import type { Site } from './site.ts'
import { findRedis } from './tools.ts'

const HOST = '127.0.0.1'
const KEEPING = ['--save', '', '--appendonly', 'yes']

/** Whether the Redis on `port` answers. */
export const redisServes =
  (port: number): Probe =>
  async () => {
    const answer = await ask(port, 'PING\r\n', bytes => bytes.includes('\r\n'))
    if (!answer.toString().startsWith('+PONG')) throw new Error(answer.toString().trim())
  }

/**
 * Starts Redis on `port` of loopback: the machine's own, else the bundled one. It appends each command to a file before it
 * answers, so that the queues survive when it is killed; what a crash of the machine can take is a second's worth.
 */
export const startRedis = async (site: Site, port: number): Promise<Child> => {
  const directory = join(site.dataDir, 'redis')
  mkdirSync(directory, { recursive: true })
  const child = site.start({
    name: 'Redis',
    command: await findRedis(site.tools, site.artifacts.redisBinaries),
    args: ['--bind', HOST, '--port', String(port), ...KEEPING, '--loglevel', 'warning'],
    cwd: directory,
    logFile: join(site.logDir, 'redis.log'),
  })
  await untilReady(child, redisServes(port), site.signal)
  return child
}
