import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { z } from 'zod'
import { findCompose, runHere } from '../../pipelines/up/containers.ts'
import { messageOf } from '../../runtime/errors.ts'
import { unique, until } from './until.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** Made here of Debian's package. */
const PROMETHEUS_IMAGE = 'netsentinel-prometheus:debian'

const OUTPUT_BYTES = 16 * 1_048_576
const PATIENT = { timeoutMs: 300_000, intervalMs: 1_000 }

const run = promisify(execFile)
const output = async (command: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> => {
  const [program = '', ...args] = command
  const { stdout } = await run(program, args, { cwd: ROOT, env, maxBuffer: OUTPUT_BYTES })
  return stdout.trim()
}

const inspect = (kind: 'container' | 'image', name: string, format: string) =>
  output(['docker', kind, 'inspect', '--format', format, name])

/** Everything in docker-compose.yml, under a name and on ports of its own. */
export interface Stack {
  readonly url: string
  readonly kafkaBrokers: readonly string[]
  readonly password: string
  /** The containers of a service that run now; of all services when none is named. */
  containers(service?: string): Promise<string[]>
  /** Runs as many containers of a service as are said. */
  scale(service: string, count: number): Promise<void>
  kill(container: string): Promise<void>
  /** Starts one that was killed, and waits until it is healthy. */
  revive(container: string): Promise<void>
  serviceOf(container: string): Promise<string>
  /** Starts a service of a profile. */
  start(service: string): Promise<void>
  /** Runs a program in the container of a service; rejects when it fails. */
  exec(service: string, ...command: readonly string[]): Promise<string>
  /** Runs a command of NetSentinel in a container of its own; rejects when it fails. */
  command(...args: readonly string[]): Promise<string>
  logs(): Promise<string>
  /** Takes everything down, data included. */
  close(): Promise<void>
}

/** The images that are not built here: those of the services, and what the Dockerfiles begin with. */
const foreignImages = (): string[] => {
  const { services } = z
    .object({
      services: z.record(
        z.string(),
        z.object({
          image: z.string(),
          build: z.unknown().optional(),
          profiles: z.array(z.string()).optional(),
        }),
      ),
    })
    .parse(parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }))
  const named = Object.values(services)
    .filter(({ build, profiles, image }) => build === undefined && profiles === undefined && image[0] !== '$')
    .map(({ image }) => image)
  const bases = ['Dockerfile', 'deploy/haproxy/Dockerfile'].flatMap(file =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image),
  )
  return [...new Set([...named, ...bases])]
}

const isHere = async (image: string): Promise<boolean> => {
  try {
    await inspect('image', image, '{{.Id}}')
    return true
  } catch {
    // How the engine says that it has no such image.
    return false
  }
}

/** Why nothing can run in containers here; undefined when it can. */
export const whyNoContainers = async (): Promise<string | undefined> => {
  if ((await findCompose(runHere(new AbortController().signal))) === undefined) {
    return 'no container engine answers with a Compose'
  }
  for (const image of foreignImages()) {
    if (await isHere(image)) continue
    try {
      await output(['docker', 'pull', '--quiet', image])
    } catch (error) {
      return `an engine answers, but the image ${image} cannot be had: ${messageOf(error).split('\n').at(-1)}`
    }
  }
  return undefined
}

/** Size of the image of NetSentinel and of the one that it is built on, in MB. */
export const imageSizes = async (): Promise<{ readonly all: number; readonly base: number }> => {
  const [base = ''] = /^FROM (\S+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))?.slice(1) ?? []
  const size = async (image: string) => Math.round(Number(await inspect('image', image, '{{.Size}}')) / 1e6)
  return { all: await size('netsentinel:local'), base: await size(base) }
}

/** Builds the images and brings everything up. */
export const startStack = async (ports: {
  readonly gateway: number
  readonly kafka: number
}): Promise<Stack> => {
  const compose = (await findCompose(runHere(new AbortController().signal))) ?? []
  const env = {
    ...process.env,
    COMPOSE_PROJECT_NAME: unique('netsentinel').toLowerCase(),
    GATEWAY_PORT: String(ports.gateway),
    KAFKA_PORT: String(ports.kafka),
    PROMETHEUS_IMAGE,
  }
  const composed = (...args: readonly string[]) => output([...compose, ...args], env)
  const lines = async (text: Promise<string>) => (await text).split('\n').filter(Boolean)
  const exec = (service: string, ...command: readonly string[]) => composed('exec', '-T', service, ...command)
  const close = async () => {
    await composed('down', '--volumes', '--timeout', '5')
  }
  try {
    const network = process.env['BUILD_NETWORK'] ?? 'default'
    const folder = join(import.meta.dirname, 'prometheus')
    await output(['docker', 'build', '--network', network, '--tag', PROMETHEUS_IMAGE, folder])
    await composed('up', '--build', '--detach')
    return {
      url: `http://127.0.0.1:${ports.gateway}`,
      kafkaBrokers: [`localhost:${ports.kafka}`],
      password: await exec('gateway-1', 'cat', '/secrets/gateway/admin-password'),
      containers: async service => {
        const all = await lines(composed('ps', '--quiet', ...(service === undefined ? [] : [service])))
        const running = await lines(output(['docker', 'ps', '--quiet', '--no-trunc']))
        return all.filter(id => running.includes(id))
      },
      scale: async (service, count) => {
        await composed('up', '--detach', '--no-recreate', '--scale', `${service}=${count}`, service)
      },
      kill: async container => {
        await output(['docker', 'kill', container])
      },
      revive: async container => {
        await output(['docker', 'start', container])
        const format = '{{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}'
        const health = () => inspect('container', container, format)
        await until(async () => (await health()) === 'healthy', {
          ...PATIENT,
          what: `a healthy ${container}`,
        })
      },
      serviceOf: container =>
        inspect('container', container, '{{index .Config.Labels "com.docker.compose.service"}}'),
      start: async service => {
        await composed('up', '--detach', '--no-recreate', service)
      },
      exec,
      command: (...args) => composed('run', '--rm', '-T', '--no-deps', 'scoring', ...args),
      logs: () => composed('logs', '--no-color', '--tail', '30'),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
