import { spawn } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findRedis, systemTools } from '../../runtime/embedded/tools.ts'
import { makeThreat } from '../../test/support/threats.ts'
import { note, ROOT, run } from '../pipeline/processes.ts'
import type { ProtocolName, Target } from './protocols.ts'

/** What the benchmark installs and builds stays here for the next run. */
const KEPT = join(ROOT, '.netsentinel/bench/gateway')

/** The peer's packages, at the releases that it is measured with. */
const SOCKET_IO = ['socket.io@4.8.4', '@socket.io/redis-adapter@8.3.0']

/** What deployments run the gateway with; the peer in Node gets the same. */
const NODE_FLAGS = ['--max-semi-space-size=16', '--expose-gc']

const GO_PLACES = ['go', '/usr/local/go/bin/go']

/** A server under test: a process of its own. */
export interface BenchServer {
  readonly name: ProtocolName
  readonly pid: number
  readonly target: Target
  /** Publishes so many messages of so many bytes at once. Resolves when the server has taken them. */
  publish(count: number, bytes: number): Promise<void>
  /** How many it has published. */
  readonly published: number
  /** Has it give back memory that it does not need. */
  settle(): Promise<void>
  stop(): Promise<void>
}

/** What all servers are started with. */
export interface Ground {
  readonly redisUrl: string
  /** Bytes of a message that is not filled up. */
  readonly payloadBytes: number
  readonly payloadFile: string
  close(): void
}

/** A Redis of the benchmark's own, and a message: a threat as the gateway sends it. */
export const prepareGround = async (directory: string): Promise<Ground> => {
  const port = 20_000 + (process.pid % 10_000)
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', directory]
  const child = spawn(await findRedis(systemTools(undefined), []), args, { stdio: 'ignore' })
  // Also when the benchmark fails: servers end with their input, Redis has none.
  process.once('exit', () => child.kill())
  const { modelVersion, ...threat } = makeThreat()
  // The field that says when it was sent comes early, where clients look for it.
  const text = JSON.stringify({ modelVersion, ...threat, event: { ...threat.event, original: 'FILLING' } })
  const payloadFile = join(directory, 'payload.json')
  writeFileSync(payloadFile, text.replace(modelVersion, 'TIME'))
  return {
    redisUrl: `redis://127.0.0.1:${port}`,
    payloadBytes: text.length,
    payloadFile,
    close: () => child.kill(),
  }
}

const start = async (
  name: ProtocolName,
  command: string,
  args: readonly string[],
  { ownToken, emptyBytes }: { readonly ownToken: string; readonly emptyBytes: number },
): Promise<BenchServer> => {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<void>(done => child.once('close', () => done()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${name} has ended`)
    return String(value)
  }
  const order = async (line: string) => {
    child.stdin.write(`${line}\n`)
    await answer()
  }
  const [port, token] = (await answer()).split(' ')
  let published = 0
  return {
    name,
    pid: child.pid ?? 0,
    target: { protocol: name, port: Number(port), token: token || ownToken },
    publish: (count, bytes) => {
      published += count
      return order(`publish ${count} ${Math.max(0, bytes - emptyBytes)}`)
    },
    get published() {
      return published
    },
    settle: () => order('settle'),
    stop: async () => {
      child.stdin.end()
      child.kill()
      await exited
    },
  }
}

/** A token as the peers take it: signed with Ed25519, as the gateway's own are. */
const peerToken = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const claims = { sub: 'bench', exp: Math.floor(Date.now() / 1000) + 3_600 }
  const signed = `${encode({ alg: 'EdDSA' })}.${encode(claims)}`
  const signature = sign(null, Buffer.from(signed), privateKey).toString('base64url')
  return { token: `${signed}.${signature}`, key: String(publicKey.export({ format: 'jwk' }).x) }
}

const findGo = async (): Promise<string | undefined> => {
  for (const go of GO_PLACES) {
    // It is not there, or does not run here: both mean that another place is tried.
    const version = await run(go, ['version']).catch(() => undefined)
    if (version !== undefined) return go
  }
  return undefined
}

const buildCentrifuge = async (): Promise<string | undefined> => {
  const go = await findGo()
  if (go === undefined) {
    note('THE PEER centrifuge IS NOT MEASURED: there is no Go on this machine (go.dev/dl)')
    return undefined
  }
  note('building centrifuge (the first time takes minutes) …')
  const program = join(KEPT, 'centrifuge')
  await run(go, ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, 'centrifuge') })
  return program
}

const installSocketIo = async (): Promise<string> => {
  const directory = join(KEPT, 'socket.io')
  const wanted = JSON.stringify(SOCKET_IO)
  const mark = join(directory, 'installed.json')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return directory
  note('installing Socket.IO …')
  mkdirSync(directory, { recursive: true })
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', directory, ...SOCKET_IO])
  writeFileSync(mark, wanted)
  return directory
}

/** Starts every server that can be had here: the gateway, and its peers. */
export const startServers = async (ground: Ground, prefix: string): Promise<BenchServer[]> => {
  mkdirSync(KEPT, { recursive: true })
  const { token, key } = peerToken()
  const common = { ownToken: token, emptyBytes: ground.payloadBytes }
  const args = (name: string) => [
    `--redis=${ground.redisUrl}`,
    `--prefix=${prefix}${name}`,
    `--key=${key}`,
    `--payload=${ground.payloadFile}`,
  ]
  const nodeServer = (name: ProtocolName, file: string, ...more: readonly string[]) =>
    start(
      name,
      process.execPath,
      [...NODE_FLAGS, join(import.meta.dirname, file), ...args(name), ...more],
      common,
    )
  const packages = await installSocketIo()
  const centrifuge = await buildCentrifuge()
  return [
    await nodeServer('netsentinel', 'netsentinel-server.ts'),
    await nodeServer('socket.io', 'socket-io-server.ts', `--packages=${packages}`),
    ...(centrifuge === undefined ? [] : [await start('centrifuge', centrifuge, args('centrifuge'), common)]),
  ]
}
