import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { codeOf } from '../../runtime/errors.ts'
import { IN_CONTAINERS, startPostgresContainer } from './containers.ts'
import { unique, until } from './services.ts'
import { tempDir } from './temp.ts'

const PASSWORD = 'only for tests'
const DEBIAN = '/usr/lib/postgresql'

/** A Postgres for tests. */
export interface TestPostgres {
  /** Makes an empty database and returns its address. */
  createDatabase(): Promise<string>
  close(): Promise<void>
}

/** One that nobody else uses. */
export interface OwnPostgres extends TestPostgres {
  /** Kills the server as a power cut would, and starts it on what is on its disk. */
  crash(): Promise<void>
}

const binaries = (): string => {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a)) : []
  const places = [
    ...versions.map(version => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  const found = places.find(place => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')))
  if (found === undefined) {
    throw new Error('the store is tested on Postgres: install the package postgresql, or set POSTGRES_URL')
  }
  return found
}

/** Postgres refuses to run as root, so then it runs as the account that Debian makes for it. */
const owner = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  const line =
    ['postgres:', 'nobody:'].flatMap(name => entries.filter(each => each.startsWith(name)))[0] ?? ''
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

const childrenOf = (pid: number | undefined): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

const killIfAlive = (pid: number) => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const createOn = async (server: string): Promise<string> => {
  const name = unique('store')
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`CREATE DATABASE "${name}"`)
  await client.end()
  const address = new URL(server)
  address.pathname = `/${name}`
  return address.href
}

const reachable = (address: string) =>
  until(
    async () => {
      const client = new pg.Client({ connectionString: address })
      client.on('error', () => undefined) // A server that goes away while it is being asked is asked again.
      await client.connect()
      await client.end()
      return true
    },
    { what: 'Postgres', timeoutMs: 120_000 },
  )

/** Has a server take no connection without TLS; what it is then started with. */
const demandTls = (data: string, tls: ServerCertificate, as: ReturnType<typeof owner>): string[] => {
  writeFileSync(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n')
  const place = (name: string, from: string) => {
    const path = join(data, name)
    copyFileSync(from, path)
    chmodSync(path, 0o600)
    if (as !== undefined) chownSync(path, as.uid, as.gid)
    return path
  }
  const [cert, key] = [place('server.crt', tls.cert), place('server.key', tls.key)]
  return ['-c', 'ssl=on', '-c', `ssl_cert_file=${cert}`, '-c', `ssl_key_file=${key}`]
}

/** What a Postgres of a test shows of itself over TLS. */
export interface ServerCertificate {
  /** PEM files. */
  readonly cert: string
  readonly key: string
  /** The authority that made them. */
  readonly ca: string
}

const startPrivate = async (tls?: ServerCertificate): Promise<OwnPostgres> => {
  const bin = binaries()
  const as = owner()
  const root = tempDir()
  // The directory of a temporary one belongs to who made it.
  chmodSync(root, 0o711)
  const data = join(root, 'data')
  mkdirSync(data, { mode: 0o700 })
  const passwordFile = join(root, 'password')
  writeFileSync(passwordFile, PASSWORD, { mode: 0o644 })
  if (as !== undefined) chownSync(data, as.uid, as.gid)
  const port = await freePort()
  const address = `postgres://tester:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres${tls === undefined ? '' : `?sslmode=verify-full&sslrootcert=${tls.ca}`}`

  const run = (program: string, args: readonly string[]) =>
    spawn(join(bin, program), [...args], { ...as, cwd: data, stdio: ['ignore', 'ignore', 'pipe'] })
  const initdb = run('initdb', [
    '-D',
    data,
    '-U',
    'tester',
    '-A',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
  ])
  let complaint = ''
  initdb.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  const [code] = await once(initdb, 'close')
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${complaint}`)

  const tlsArgs = tls === undefined ? [] : demandTls(data, tls, as)

  let server: ReturnType<typeof run>
  const start = async () => {
    const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', data]
    server = run('postgres', [...args, '-c', 'recovery_init_sync_method=syncfs', ...tlsArgs])
    server.stderr.resume()
    await reachable(address)
  }
  const stop = async (signal: 'SIGKILL' | 'SIGINT') => {
    const closed = once(server, 'close')
    server.kill(signal)
    await closed
  }
  await start()
  return {
    createDatabase: () => createOn(address),
    crash: async () => {
      // A power cut spares none of its processes.
      const children = childrenOf(server.pid)
      await stop('SIGKILL')
      for (const child of children) killIfAlive(child)
      await start()
    },
    close: () => stop('SIGINT'),
  }
}

const startContained = async (): Promise<OwnPostgres> => {
  const { address, environment, crash, close } = await startPostgresContainer()
  const server = `postgres://postgres:${environment['POSTGRES_PASSWORD']}@${address}/postgres`
  return {
    createDatabase: () => createOn(server),
    crash: async () => {
      await crash()
      await reachable(server)
    },
    close,
  }
}

/**
 * A Postgres of the test's own: in a container where the services of this run are in containers, else of the machine's
 * programs, on a free port of loopback. Throws, saying what to install, where these are missing.
 */
export const startOwnPostgres = (): Promise<OwnPostgres> =>
  process.env[IN_CONTAINERS] ? startContained() : startPrivate()

/** The Postgres that POSTGRES_URL names, whose account may make databases; else one of the test's own. */
export const startPostgres = async (): Promise<TestPostgres> => {
  const given = process.env['POSTGRES_URL']
  if (!given) return startOwnPostgres()
  return { createDatabase: () => createOn(given), close: async () => undefined }
}

/** A private Postgres that takes no connection without TLS. */
export const startTlsPostgres = (tls: ServerCertificate): Promise<TestPostgres> => startPrivate(tls)
