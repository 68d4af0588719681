import { createKafka, type KafkaSettings } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { FEATURE_COUNT, featureHash, featureNames, writeFeatures } from '../../models/features/features.ts'
import { advance } from '../../models/features/state.ts'
import type { Command } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { isPoison } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import type { Behaviour, Event } from '../../schemas/generated.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { isWithin, windowOf, windowOptions } from '../scoring/window.ts'

/** The settings that rows reads. */
interface RowsConfig {
  readonly kafka: KafkaSettings
  readonly topics: SectionValues<typeof topicsConfig>
  readonly registry: SectionValues<typeof registryConfig>
}

/** A field of a line of comma-separated values (RFC 4180). */
const fieldOf = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** As many digits as a float32 has. */
const numberOf = (value: number): string => String(Number(value.toPrecision(9)))

/** `netsentinel rows`. */
export const rows: Command<RowsConfig> = {
  summary:
    'Print the features of the events in Kafka as CSV, one row an event: what to train a foreign model on.',
  details: [
    'The columns are id, entity, time (ms since 1970) and the features, with the values that a scorer sees; an entity’s rows are',
    'in the order in which it sees them. All of `events` is read, since state comes from the past; --from and --to choose what',
    'is printed. The hash of the features, for the manifest of a model, goes to standard error. See docs/models.md.',
  ].join('\n'),
  options: windowOptions,
  run: async ({ config, log, options, print, tell }) => {
    const window = windowOf(options)
    const { name: topic } = topicCatalogue(config.topics).events
    const codec = await createRegistry(config.registry).codec('Event', topic)
    const known = new Map<string, Behaviour>()
    const row = new Float32Array(FEATURE_COUNT)
    let unreadable = 0

    const eventOf = async ({ value }: InputRecord): Promise<Event | undefined> => {
      try {
        return value === null ? undefined : await codec.decode(value)
      } catch (error) {
        if (!isPoison(error)) throw error
        unreadable++
        return undefined
      }
    }

    const take = async (record: InputRecord) => {
      const event = await eventOf(record)
      if (event === undefined) return
      const before = known.get(event.entity) ?? null
      known.set(event.entity, advance(before, event))
      if (!isWithin(window, record.timestamp)) return
      writeFeatures({ event, before }, row, 0)
      const about = [event.id, event.entity, String(event.time)].map(fieldOf)
      print([...about, ...Array.from(row, numberOf)].join(','))
    }

    tell(`features ${featureHash}`)
    print(['id', 'entity', 'time', ...featureNames].join(','))
    await readTopic({
      kafka: createKafka({ config: config.kafka, log }),
      topic,
      onRecords: async records => {
        for (const record of records) await take(record)
      },
    })
    if (unreadable > 0) tell(`${unreadable} records of ${topic} cannot be read`)
    return EXIT.ok
  },
}
