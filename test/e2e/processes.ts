import type { Cli } from '../support/cli.ts'
import { runCli, services, unique, until } from '../support/services.ts'

/** One system of its own on the shared services: topics, groups and store that nobody else uses. */
export interface System {
  readonly prefix: string
  readonly env: Readonly<Record<string, string>>
  /** Starts a command with the system's environment. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Cli
  /** Runs a command that ends by itself; throws with its error output unless it exits with 0. */
  finish(args: readonly string[]): Promise<string>
  /** Starts a long-running command and waits until its `/ready` says that everything it needs is there. */
  ready(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Cli>
}

/** The administrator's password in these tests. */
const PASSWORD = 'correct horse battery staple'

const readyPort = (cli: Cli): number | undefined => {
  const line = cli
    .stderr()
    .split('\n')
    .find(text => text.includes('health endpoint listens'))
  return line === undefined ? undefined : (JSON.parse(line) as { port: number }).port
}

const isReady = async (cli: Cli): Promise<boolean> => {
  const port = readyPort(cli)
  return port !== undefined && (await fetch(`http://127.0.0.1:${port}/ready`)).status === 200
}

/** Makes a system with its topics created. */
export const createSystem = async (
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<System> => {
  const { kafkaBrokers, redisUrl, schemaRegistryUrl } = services()
  const prefix = `${unique('e2e')}.`
  const own = {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    REDIS_URL: redisUrl,
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
    TOPIC_PREFIX: prefix,
    TOPIC_PARTITIONS: '4',
    SCORING_THRESHOLD: '0',
    DATA_DIR: dataDir,
    HEALTH_PORT: '0',
    GATEWAY_PORT: '0',
    KAFKA_SESSION_TIMEOUT_MS: '6000',
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    ...env,
  }
  const run: System['run'] = (args, more = {}) => runCli(args, { ...own, ...more })
  const finish: System['finish'] = async args => {
    const cli = run(args)
    const { code } = await cli.exited
    if (code !== 0) throw new Error(`netsentinel ${args.join(' ')} ended with ${code}: ${cli.stderr()}`)
    return cli.stdout()
  }
  const ready: System['ready'] = async (args, more) => {
    const cli = run(args, more)
    await until(() => isReady(cli), { what: `netsentinel ${args.join(' ')} to be ready`, timeoutMs: 60_000 })
    return cli
  }
  await finish(['topics'])
  return { prefix, env: own, run, finish, ready }
}
