import { describe, expect, it } from '@jest/globals'
import avro from 'avsc'
import fc from 'fast-check'
import { anyEvent, makeEvent } from '../test/support/events.ts'
import { type AvroSchema, loadSchema, readSchema, SCHEMA_NAMES } from './avro.ts'
import type { Threat } from './generated.ts'

const typeOf = (schema: AvroSchema) => avro.Type.forSchema(schema as avro.Schema)

const threat: Threat = {
  id: 'raw-events-0-0',
  time: 1_700_000_000_000,
  entity: 'ip:203.0.113.9',
  score: 0.934,
  severity: 'critical',
  modelVersion: 'baseline-1',
  modelScores: { isolationForest: 0.934 },
  contributions: [
    { feature: 'failures', value: 12.5, share: 0.6, expectedLow: 0, expectedHigh: 2.5, eventsAgo: 0 },
  ],
  techniques: ['T1110'],
  eventOffset: 42,
  event: makeEvent(),
}

describe('loadSchema', () => {
  it.each(SCHEMA_NAMES)('gives %s whole: it needs no other schema, and its id is a plain string', name => {
    const schema = loadSchema(name) as { namespace: string; fields: { name: string; type: unknown }[] }
    expect(() => typeOf(schema)).not.toThrow()
    expect(schema.namespace).toBe('netsentinel')
    expect(schema.fields[0]).toMatchObject({ name: 'id', type: 'string' })
  })

  it('defines a type of another file once, whatever uses it', () => {
    expect(readSchema('Threat')).not.toEqual(loadSchema('Threat'))
    expect(JSON.stringify(loadSchema('Threat')).match(/"name":"Event"/g)).toHaveLength(1)
  })

  it.each(SCHEMA_NAMES)('documents %s and every field in it', name => {
    const undocumented: string[] = []
    const visit = (node: unknown, path: string) => {
      if (Array.isArray(node)) {
        for (const item of node) visit(item, path)
      } else if (typeof node === 'object' && node !== null) {
        const { type, doc, fields, items, name: own } = node as Record<string, unknown>
        const at = own === undefined ? path : `${path}.${String(own)}`
        if (type === 'record' && !doc) undocumented.push(at)
        for (const field of (fields ?? []) as { name: string; doc?: string; type: unknown }[]) {
          if (!field.doc) undocumented.push(`${at}.${field.name}`)
          visit(field.type, `${at}.${field.name}`)
        }
        visit(items, at)
        if (typeof type === 'object') visit(type, at)
      }
    }
    visit(loadSchema(name), '')
    expect(undocumented).toEqual([])
  })

  it('gives every field that may be absent a default, so that it can be added and removed', () => {
    for (const name of SCHEMA_NAMES) {
      const { fields } = loadSchema(name) as { fields: { name: string; type: unknown; default?: unknown }[] }
      const nullable = fields.filter(({ type }) => Array.isArray(type) && type.includes('null'))
      expect(nullable.filter(field => field.default !== null).map(field => field.name)).toEqual([])
    }
  })
})

describe('a threat', () => {
  const type = typeOf(loadSchema('Threat'))

  it('is the same after encoding and decoding', () => {
    expect(JSON.parse(JSON.stringify(type.fromBuffer(type.toBuffer(threat))))).toEqual(threat)
  })

  it('is the same whatever event it holds', () => {
    fc.assert(
      fc.property(anyEvent(), event => {
        const bytes = type.toBuffer({ ...threat, event })
        expect(type.toBuffer(type.fromBuffer(bytes)).equals(bytes)).toBe(true)
      }),
    )
  })

  it('is refused when its severity is none of the four', () => {
    expect(() => type.toBuffer({ ...threat, severity: 'odd' })).toThrow(/severity|odd/)
  })
})
