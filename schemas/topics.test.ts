import { describe, expect, it } from '@jest/globals'
import { loadConfig } from '../runtime/config.ts'
import { SCHEMA_NAMES } from './avro.ts'
import { type Topic, topicCatalogue, topicsConfig } from './topics.ts'

const catalogue = (env: Record<string, string> = {}) =>
  topicCatalogue(loadConfig({ topics: topicsConfig }, env).topics)
const all = (env: Record<string, string> = {}): Topic[] => Object.values(catalogue(env))

describe('topicCatalogue', () => {
  it('puts the prefix before every name', () => {
    const plain = all().map(({ name }) => name)
    expect(plain).toContain('raw-events')
    expect(all({ TOPIC_PREFIX: 'eu.' }).map(({ name }) => name)).toEqual(plain.map(name => `eu.${name}`))
    expect(new Set(plain).size).toBe(plain.length)
  })

  it('refuses a prefix that Kafka would not take in a name', () => {
    expect(() => all({ TOPIC_PREFIX: 'eu/' })).toThrow(/topics\.prefix \(TOPIC_PREFIX\): may hold letters/)
  })

  it('gives the topics of one path the same partitions, so that a partition number means one set of entities', () => {
    const topics = catalogue({ TOPIC_PARTITIONS: '12' })
    const { events, threats, threatsOcsf, entityState, alerts, alertsOcsf, decisions, alertState } = topics
    const path = [events, threats, threatsOcsf, entityState, alerts, alertsOcsf, decisions, alertState]
    for (const each of path) expect(each.partitions).toBe(12)
    expect(topics.deadLetters.partitions).toBe(1)
  })

  it('replicates every topic as often as it is told', () => {
    expect(all({ TOPIC_REPLICATION: '3' }).map(topic => topic.replicationFactor)).toEqual(all().map(() => 3))
  })

  it('stamps raw-events on arrival, and no other topic: they copy that stamp', () => {
    const stamped = all().filter(topic => topic.config['message.timestamp.type'] === 'LogAppendTime')
    expect(stamped.map(({ name }) => name)).toEqual(['raw-events'])
  })

  it('lets the broker refuse no timestamp of a topic that copies them', () => {
    const copying = all().filter(({ name }) => name !== 'raw-events')
    for (const { config } of copying) {
      expect(config['message.timestamp.after.max.ms']).toBe(String(2n ** 63n - 1n))
    }
  })

  it('compacts what holds state and deletes everything else, clear text sooner', () => {
    const env = { RAW_RETENTION_MS: '1000', RETENTION_MS: '9000' }
    const retention = all(env).map(({ name, config }) => [
      name,
      config['cleanup.policy'],
      config['retention.ms'],
    ])
    expect(Object.fromEntries(retention.map(([name, ...rest]) => [name, rest]))).toEqual({
      'raw-events': ['delete', '1000'],
      audit: ['delete', '9000'],
      events: ['delete', '9000'],
      threats: ['delete', '9000'],
      'threats.ocsf': ['delete', '9000'],
      alerts: ['delete', '9000'],
      'alerts.ocsf': ['delete', '9000'],
      decisions: ['compact', undefined],
      'dead-letters': ['delete', '1000'],
      models: ['compact', undefined],
      'entity-state': ['compact', undefined],
      'alert-state': ['compact', undefined],
    })
  })

  it('has one topic for each schema, and none where values are text or foreign', () => {
    const schemas = all().flatMap(({ schema }) => schema ?? [])
    expect(schemas.toSorted()).toEqual(SCHEMA_NAMES.toSorted())
    const { rawEvents, deadLetters, threatsOcsf, alertsOcsf } = catalogue()
    for (const topic of [rawEvents, deadLetters, threatsOcsf, alertsOcsf])
      expect(topic).not.toHaveProperty('schema')
  })
})
