import { z } from 'zod'
import { int, type SectionValues, section, setting } from '../runtime/config.ts'
import type { SchemaName } from './avro.ts'

/** Settings of the topics. */
export const topicsConfig = section('topics', {
  prefix: setting(
    'TOPIC_PREFIX',
    z
      .string()
      .regex(/^[a-zA-Z0-9._-]*$/, 'may hold letters, digits, dot, dash and underscore')
      .default(''),
    'Put before the name of every topic, consumer group and transactional id.',
  ),
  partitions: setting(
    'TOPIC_PARTITIONS',
    int(1, 4096).default(8),
    'Partitions of raw-events, events, threats, alerts, decisions and changelogs. It cannot be changed later.',
  ),
  replicationFactor: setting('TOPIC_REPLICATION', int(1, 32).default(1), 'Replicas of every topic.'),
  rawRetentionMs: setting(
    'RAW_RETENTION_MS',
    int(-1).default(24 * 3_600_000),
    'How long raw-events and dead-letters, which hold clear text, are kept, in ms.',
  ),
  retentionMs: setting(
    'RETENTION_MS',
    int(-1).default(7 * 24 * 3_600_000),
    'How long events, threats and alerts are kept, in ms; -1 for ever.',
  ),
})

/** What the catalogue says of one topic. */
export interface Topic {
  /** Full name, prefix included. */
  readonly name: string
  /** What the key is. */
  readonly key: string
  /** The schema of its values; none where the value is text or foreign. */
  readonly schema?: SchemaName
  readonly partitions: number
  readonly replicationFactor: number
  /** Topic-level settings of the broker. */
  readonly config: Readonly<Record<string, string>>
  readonly writtenBy: string
  readonly readBy: string
}

/**
 * Of every topic that a stage writes. Its records carry the stamp of a raw record, of whatever date a producer's clock
 * made it where the raw topic is not ours; and they are larger than the raw record, which they hold among other things:
 * 4 MiB leaves room for any record that a raw topic takes by default (1 MiB), so that each has an event or a dead letter.
 */
const WRITTEN_BY_STAGES = {
  'message.timestamp.after.max.ms': '9223372036854775807',
  'max.message.bytes': String(4 * 1024 * 1024),
}

/**
 * The typed catalogue of topics: nothing else spells a topic's name. Records of `raw-events` are stamped by the broker,
 * so that retention goes by arrival; every later topic copies that stamp.
 */
export const topicCatalogue = (config: SectionValues<typeof topicsConfig>) => {
  const topic = (
    name: string,
    rest: Omit<Topic, 'name' | 'partitions' | 'replicationFactor'> & { partitions?: number },
  ) => ({
    partitions: config.partitions,
    replicationFactor: config.replicationFactor,
    ...rest,
    name: `${config.prefix}${name}`,
  })
  const kept = (ms: number) => ({
    'cleanup.policy': 'delete',
    'retention.ms': String(ms),
    ...WRITTEN_BY_STAGES,
  })
  const compacted = { 'cleanup.policy': 'compact', ...WRITTEN_BY_STAGES }
  return {
    rawEvents: topic('raw-events', {
      key: 'anything, often null',
      config: {
        'cleanup.policy': 'delete',
        'retention.ms': String(config.rawRetentionMs),
        'message.timestamp.type': 'LogAppendTime',
      },
      writtenBy: 'producers',
      readBy: 'ingest',
    }),
    events: topic('events', {
      key: 'entity',
      schema: 'Event',
      config: kept(config.retentionMs),
      writtenBy: 'ingest',
      readBy: 'scoring, retraining, replay',
    }),
    threats: topic('threats', {
      key: 'entity',
      schema: 'Threat',
      config: kept(config.retentionMs),
      writtenBy: 'scoring',
      readBy: 'alerting, gateway, SIEMs',
    }),
    threatsOcsf: topic('threats.ocsf', {
      key: 'entity',
      config: kept(config.retentionMs),
      writtenBy: 'scoring',
      readBy: 'SIEMs',
    }),
    alerts: topic('alerts', {
      key: 'alert id',
      schema: 'Alert',
      config: kept(config.retentionMs),
      writtenBy: 'alerting',
      readBy: 'gateway, notification, SIEMs',
    }),
    alertsOcsf: topic('alerts.ocsf', {
      key: 'alert id',
      config: kept(config.retentionMs),
      writtenBy: 'alerting',
      readBy: 'SIEMs',
    }),
    // One copy of each decision in every partition: a suppression concerns the entities of all of them.
    decisions: topic('decisions', {
      key: 'decision id',
      schema: 'Decision',
      config: compacted,
      writtenBy: 'gateway, `decide`',
      readBy: 'alerting, retraining',
    }),
    // One partition, so that what happened is in the order that it was written down in.
    audit: topic('audit', {
      key: 'id of who did it, else of whom it was done to',
      partitions: 1,
      config: kept(config.retentionMs),
      writtenBy: 'gateway',
      readBy: 'notification, SIEMs',
    }),
    deadLetters: topic('dead-letters', {
      key: 'original key',
      partitions: 1,
      config: kept(config.rawRetentionMs),
      writtenBy: 'every stage',
      readBy: 'people',
    }),
    // One partition, so that a manifest comes after its chunks and a pointer after the model that it points at.
    models: topic('models', {
      key: 'model/<version>/manifest, model/<version>/chunk/<n>, pointer/<role>',
      partitions: 1,
      config: compacted,
      writtenBy: 'retraining, `models`',
      readBy: 'scoring',
    }),
    entityState: topic('entity-state', {
      key: 'entity',
      schema: 'EntityState',
      config: compacted,
      writtenBy: 'scoring',
      readBy: 'the next owner of the partition',
    }),
    alertState: topic('alert-state', {
      key: 'what it is of: a window, an alert, a suppression',
      schema: 'AlertState',
      config: compacted,
      writtenBy: 'alerting',
      readBy: 'the next owner of the partition',
    }),
  } as const satisfies Record<string, Topic>
}

/**
 * A topic beside the pipeline's own that holds threats as `threats` does: what a second scoring writes to. `name` is
 * without the prefix, as people type it; undefined when it is a name of the catalogue.
 */
export const furtherThreats = (
  config: SectionValues<typeof topicsConfig>,
  name: string,
  partitions: number,
): Topic | undefined => {
  const catalogue = topicCatalogue(config)
  const full = `${config.prefix}${name}`
  if (Object.values(catalogue).some(each => each.name === full)) return undefined
  return {
    ...catalogue.threats,
    name: full,
    partitions,
    writtenBy: 'a second scoring',
    readBy: 'netsentinel diff',
  }
}

/** The catalogue with its names. */
export type Topics = ReturnType<typeof topicCatalogue>
