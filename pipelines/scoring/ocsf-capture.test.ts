import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { isKnownTechnique } from '../../connectors/sinks/attack.ts'
import { encodeOcsf } from '../../connectors/sinks/ocsf.ts'
import { sourcesConfig } from '../../connectors/sources/config.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { loadConfig } from '../../runtime/config.ts'
import { isSentinelError } from '../../runtime/errors.ts'
import type { Event, Severity, Threat } from '../../schemas/generated.ts'
import { bundledCapture } from '../ingest/capture.ts'

const FIXTURE = '../../connectors/sinks/fixtures/ocsf-1.6.0-detection_finding.schema.json'
const schema = JSON.parse(readFileSync(new URL(FIXTURE, import.meta.url), 'utf8')) as object
const validate = new Ajv2020({ strict: false }).compile(schema)

const RAW_TIMESTAMP = 1_763_932_440_000
const SEVERITIES: readonly Severity[] = ['low', 'medium', 'high', 'critical']

/** Every event of the bundled capture, as ingest makes them; what is not an event is left to ingest's own tests. */
const captureEvents = (): Event[] => {
  const { sources } = loadConfig({ sources: sourcesConfig }, {})
  const normalise = createNormalise(sources)
  const lines = bundledCapture()
    .filter(file => file.endsWith('.ndjson'))
    .flatMap(file => readFileSync(file, 'utf8').split('\n'))
  return lines.flatMap((line, offset) => {
    try {
      return normalise(line, { topic: 'raw-events', partition: 0, offset, timestamp: RAW_TIMESTAMP })
    } catch (error) {
      if (isSentinelError(error) && error.outcome === 'poison') return []
      throw error
    }
  })
}

const threatOf = (event: Event, index: number): Threat => ({
  id: event.id,
  time: event.time,
  entity: event.entity,
  score: (index % 101) / 100,
  severity: SEVERITIES[index % 4] ?? 'low',
  modelVersion: 'baseline-1',
  modelScores: { isolationForest: (index % 101) / 100 },
  contributions:
    index % 2 === 0
      ? []
      : [{ feature: 'failures', value: index, share: 1, expectedLow: 0, expectedHigh: null, eventsAgo: 0 }],
  techniques: event.techniques,
  eventOffset: index,
  event,
})

describe('the findings of the bundled capture', () => {
  const threats = captureEvents().map(threatOf)

  it('are many, of every source', () => {
    expect(threats.length).toBeGreaterThan(1000)
    const sources = new Set(threats.map(({ event }) => event.source))
    expect([...sources].toSorted()).toEqual(['cowrie', 'opencanary', 'suricata', 'zeek'])
  })

  it('are valid OCSF, every one of them', () => {
    const invalid = threats.flatMap(threat => {
      const finding: unknown = JSON.parse(encodeOcsf(threat).toString('utf8'))
      return validate(finding) ? [] : [{ id: threat.id, errors: validate.errors, finding }]
    })
    expect(invalid.slice(0, 3)).toEqual([])
    expect(invalid).toHaveLength(0)
  })

  it('have a uid each, no two the same', () => {
    const uids = threats.map(threat => {
      const { finding_info } = JSON.parse(encodeOcsf(threat).toString('utf8')) as {
        finding_info: { uid: string }
      }
      return finding_info.uid
    })
    expect(uids).toEqual(threats.map(({ id }) => id))
    expect(new Set(uids).size).toBe(uids.length)
  })

  it('name every technique that the sources find', () => {
    const techniques = new Set(threats.flatMap(threat => threat.techniques))
    expect(techniques.size).toBeGreaterThan(5)
    expect([...techniques].filter(id => !isKnownTechnique(id))).toEqual([])
  })
})
