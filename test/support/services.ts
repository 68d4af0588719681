import { afterAll } from '@jest/globals'
import { type Cli, startCli } from './cli.ts'
import { ADDRESS_VARIABLES } from './provision.ts'

export { unique, until } from './until.ts'

/** The services that setup.ts got for this run. */
export const services = (): { kafkaBrokers: string[]; redisUrl: string; schemaRegistryUrl: string } => {
  const { KAFKA_BROKERS, REDIS_URL, SCHEMA_REGISTRY_URL } = process.env
  if (!KAFKA_BROKERS || !REDIS_URL || !SCHEMA_REGISTRY_URL) {
    throw new Error(
      `${ADDRESS_VARIABLES.join(', ')} are not set: this test belongs in test/integration, e2e or faults`,
    )
  }
  return {
    kafkaBrokers: KAFKA_BROKERS.split(','),
    redisUrl: REDIS_URL,
    schemaRegistryUrl: SCHEMA_REGISTRY_URL,
  }
}

const running = new Set<Cli>()

/**
 * Runs `netsentinel <args>` as a process of its own, with the environment of the tests and `env` over it (undefined
 * removes a variable). What still runs when the test file ends is killed.
 */
export const runCli = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Cli => {
  const cli = startCli(args, env)
  running.add(cli)
  void cli.exited.then(() => running.delete(cli))
  return cli
}

afterAll(async () => {
  for (const cli of running) cli.kill('SIGKILL')
  await Promise.all([...running].map(cli => cli.exited))
})
