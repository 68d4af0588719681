import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SentinelError } from '../errors.ts'
import { INSTEAD } from './failures.ts'

const JAVA_NEEDED = 17
const run = promisify(execFile)

/** The programs that the embedded services need from the machine: names on the PATH, or paths. */
export interface Tools {
  readonly java: string
  readonly mvn: string
  readonly redisServer: string
}

/** The machine's own tools; `javaHome` is the JDK or JRE to use instead of the first `java` on the PATH. */
export const systemTools = (javaHome: string | undefined): Tools => ({
  java: javaHome === undefined ? 'java' : join(javaHome, 'bin', 'java'),
  mvn: 'mvn',
  redisServer: 'redis-server',
})

const output = async (command: string, args: readonly string[]): Promise<string | undefined> => {
  try {
    const { stdout, stderr } = await run(command, args, { timeout: 30_000 })
    return stdout + stderr
  } catch {
    // Whatever keeps it from answering, it cannot be used; the caller says what to install.
    return undefined
  }
}

/** Throws NS_EMBEDDED_UNAVAILABLE unless `java` runs and is version 17 or newer. */
export const checkJava = async ({ java }: Tools): Promise<void> => {
  const text = await output(java, ['-version'])
  const version = /version "(?:1\.)?(\d+)/.exec(text ?? '')?.[1]
  if (version !== undefined && Number(version) >= JAVA_NEEDED) return
  const found = version === undefined ? `there is no ${java} that runs` : `${java} is Java ${version}`
  throw new SentinelError(
    'NS_EMBEDDED_UNAVAILABLE',
    `the embedded services need Java ${JAVA_NEEDED} or newer, and ${found}: ` +
      `install it (Debian: apt-get install openjdk-17-jre-headless), ${INSTEAD}`,
  )
}

/** Throws NS_EMBEDDED_UNAVAILABLE unless Maven runs. Only a machine that has not fetched the artifacts yet needs it. */
export const checkMaven = async ({ mvn }: Tools): Promise<void> => {
  if ((await output(mvn, ['--version'])) !== undefined) return
  throw new SentinelError(
    'NS_EMBEDDED_UNAVAILABLE',
    `the first start fetches Kafka, the registry and Redis with Maven, and there is no ${mvn} that runs: ` +
      `install it (Debian: apt-get install maven), ${INSTEAD}`,
  )
}

/**
 * The redis-server to use: the machine's own when it runs, else the first of `candidates` (files) that does. Throws
 * NS_EMBEDDED_UNAVAILABLE when none does.
 */
export const findRedis = async ({ redisServer }: Tools, candidates: readonly string[]): Promise<string> => {
  for (const command of [redisServer, ...candidates]) {
    if (/Redis server v=/.test((await output(command, ['--version'])) ?? '')) return command
  }
  throw new SentinelError(
    'NS_EMBEDDED_UNAVAILABLE',
    'no redis-server runs on this machine, the bundled one included: ' +
      `install one (Debian: apt-get install redis-server), ${INSTEAD}`,
  )
}
