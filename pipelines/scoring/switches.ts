import type { Decoder } from '../../connectors/avro-codec.ts'
import type { Kafka } from '../../connectors/kafka/client.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import type { Detector } from '../../models/detector.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { EntityState, ModelInForce } from '../../schemas/generated.ts'
import { isModelKey } from './model-in-force.ts'
import type { ModelsAtWork } from './models-at-work.ts'

/** Where which model came into force, by partition, in order. */
export type Switches = ReadonlyMap<number, readonly ModelInForce[]>

/** Reads the switches from the changelog of scoring. Throws as {@link readTopic} does, and NS_UNDECODABLE. */
export const readSwitches = async (deps: {
  readonly kafka: Kafka
  /** Full name of `entity-state`. */
  readonly topic: string
  readonly codec: Pick<Decoder<EntityState>, 'decode'>
}): Promise<Switches> => {
  const found = new Map<number, Map<number, ModelInForce>>()
  await readTopic({
    kafka: deps.kafka,
    topic: deps.topic,
    onRecords: async records => {
      for (const { partition, key, value } of records) {
        if (value === null || key === null || !isModelKey(key.toString('utf8'))) continue
        const { model } = await deps.codec.decode(value)
        if (model === null) continue
        const switches = found.get(partition) ?? new Map<number, ModelInForce>()
        found.set(partition, switches.set(model.sequence, model))
      }
    },
  })
  return new Map(
    [...found].map(([partition, switches]) => [
      partition,
      [...switches.values()].sort((a, b) => a.sequence - b.sequence),
    ]),
  )
}

/** The models that were in force, each for the events that it judged. */
export interface PastModels extends ModelsAtWork {
  /** Cuts records of one partition wherever another model came into force. */
  cut(records: readonly InputRecord[]): readonly (readonly InputRecord[])[]
  /** Versions that were needed so far. */
  versions(): string[]
  close(): Promise<void>
}

/**
 * Puts each model to work where it was in force. A partition that was never scored gets `fallback`. `open` is asked once
 * for a version, when an event needs it; what it throws, `use` throws.
 */
export const replaySwitches = (deps: {
  readonly switches: Switches
  readonly open: (version: string) => Promise<Detector>
  readonly fallback: string
}): PastModels => {
  const opened = new Map<string, Promise<Detector>>()
  const detectorOf = (version: string): Promise<Detector> => {
    const detector = opened.get(version) ?? deps.open(version)
    opened.set(version, detector)
    return detector
  }
  const startOf = ({ since }: ModelInForce): number => since ?? 0
  const inForceAt = (partition: number, offset: number): ModelInForce => {
    const switches = deps.switches.get(partition) ?? []
    const past = switches.filter(each => startOf(each) <= offset)
    return past.at(-1) ?? switches[0] ?? { version: deps.fallback, sequence: 1, since: null }
  }
  return {
    use: async ({ partition, offset }, work) => {
      const { version, sequence } = inForceAt(partition, offset)
      return work({ detector: await detectorOf(version), sequence })
    },
    reach: async inForce => {
      throw new SentinelError('NS_INTERNAL', `${inForce.version} is restored where events are scored again`)
    },
    cut: records => {
      const pieces: InputRecord[][] = []
      let last: number | undefined
      for (const record of records) {
        const { sequence } = inForceAt(record.partition, record.offset)
        if (sequence !== last) pieces.push([])
        pieces.at(-1)?.push(record)
        last = sequence
      }
      return pieces
    },
    versions: () => [...opened.keys()],
    close: async () => {
      const detectors = await Promise.allSettled(opened.values())
      await Promise.all(detectors.flatMap(each => (each.status === 'fulfilled' ? [each.value.close()] : [])))
    },
  }
}
