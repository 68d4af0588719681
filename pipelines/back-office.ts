import { createKafka } from '../connectors/kafka/client.ts'
import type { redisConfig } from '../connectors/redis.ts'
import type { SectionValues } from '../runtime/config.ts'
import { createCloser } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import { topicCatalogue } from '../schemas/topics.ts'
import { openLettersOffice } from './dead-letters/office.ts'
import { originsOf } from './dead-letters/replay.ts'
import { openModelsOffice } from './models/office.ts'
import { type ModelsConfig, registryOf } from './models/open.ts'
import { openRetrainingOffice } from './retraining/office.ts'
import { openRetrainingQueue } from './retraining/retraining.ts'

/** The settings that the back office reads. */
interface BackOfficeConfig extends ModelsConfig {
  readonly redis: SectionValues<typeof redisConfig>
}

/**
 * What people do to the pipeline, for the gateway, which may not import it: it is handed in by the program. Throws
 * NS_CONFIG_INVALID, NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE.
 */
export const openBackOffice = async (deps: { readonly config: BackOfficeConfig; readonly log: Log }) => {
  const { config, log } = deps
  const closer = createCloser()
  try {
    const models = await openModelsOffice(registryOf(config, log), log)
    closer.add(() => models.close())
    const queue = await openRetrainingQueue(deps)
    closer.add(() => queue.close())
    const topics = topicCatalogue(config.topics)
    const deadLetters = openLettersOffice({
      kafka: createKafka({ config: config.kafka, log }),
      topic: topics.deadLetters.name,
      origins: originsOf(topics),
      prefix: config.topics.prefix,
    })
    const retraining = openRetrainingOffice(queue)
    return {
      models,
      retraining,
      deadLetters,
      /** Tells where the pointers stand, and of retrainings, from now on. Throws NS_SERVICE_UNREACHABLE. */
      follow: async (news: {
        readonly pointers: Parameters<typeof models.follow>[0]
        readonly retraining: Parameters<typeof retraining.follow>[0]
      }) => {
        models.follow(news.pointers)
        closer.add(await retraining.follow(news.retraining))
      },
      check: models.check,
      failed: models.failed,
      close: closer.close,
    }
  } catch (error) {
    await closer.close()
    throw error
  }
}
