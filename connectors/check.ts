import type { Command } from '../runtime/command.ts'
import type { SectionValues } from '../runtime/config.ts'
import { toSentinelError } from '../runtime/errors.ts'
import { type Check, EXIT } from '../runtime/lifecycle.ts'
import { topicCatalogue, type topicsConfig } from '../schemas/topics.ts'
import { checkKafka, partitionCount } from './kafka/admin.ts'
import { createKafka, type KafkaSettings } from './kafka/client.ts'
import { createRedis, type redisConfig } from './redis.ts'
import { createRegistry, type registryConfig } from './registry.ts'

/** The settings that `netsentinel check` tries. */
interface CheckConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
  readonly redis: SectionValues<typeof redisConfig>
}

const problemOf = async (run: () => Promise<string | undefined>): Promise<string | undefined> => {
  try {
    return await run()
  } catch (error) {
    const { message, advice } = toSentinelError(error)
    return `${message} – ${advice}`
  }
}

const checkAll = async (context: Parameters<Command<CheckConfig>['run']>[0]): Promise<readonly Check[]> => {
  const { config, log } = context
  const kafka = createKafka({ config: config.kafka, log })
  const catalogue = Object.values(topicCatalogue(config.topics))
  const looks: readonly (readonly [string, () => Promise<string | undefined>])[] = [
    [`kafka at ${config.kafka.brokers.join(', ')}`, () => checkKafka(kafka)],
    [
      'topics',
      async () => {
        const counts = await partitionCount(
          kafka,
          catalogue.map(({ name }) => name),
        )
        const wrong = counts.find(([name, count]) =>
          catalogue.some(topic => topic.name === name && topic.partitions !== count),
        )
        return wrong && `${wrong[0]} has ${wrong[1]} partitions, TOPIC_PARTITIONS says another number`
      },
    ],
    [`schema registry at ${config.registry.url}`, () => createRegistry(config.registry).problem()],
    [
      'redis',
      async () => {
        const redis = await createRedis({ config: config.redis, log })
        const problem = await redis.problem()
        await redis.close()
        return problem
      },
    ],
  ]
  return Promise.all(
    looks.map(async ([name, look]) => {
      const problem = await problemOf(look)
      return { name, ...(problem === undefined ? {} : { problem }) }
    }),
  )
}

/** `netsentinel check`. */
export const check: Command<CheckConfig> = {
  summary: 'Read the configuration, try every connection, and say what is wrong.',
  run: async context => {
    context.print('ok    configuration')
    const checks = await checkAll(context)
    for (const { name, problem } of checks) {
      context.print(problem === undefined ? `ok    ${name}` : `fails ${name}: ${problem}`)
    }
    return checks.every(({ problem }) => problem === undefined) ? EXIT.ok : EXIT.unavailable
  },
}
