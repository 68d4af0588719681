import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { AvroSchema } from './avro.ts'
import { declarationsOf, renderTypes } from './generate.ts'

describe('renderTypes', () => {
  it('gives schemas/generated.ts as it is: run `npm run generate` when it does not', () => {
    const onDisk = readFileSync(new URL('generated.ts', import.meta.url), 'utf8')
    expect(renderTypes()).toBe(onDisk)
  })
})

describe('declarationsOf', () => {
  const record = (type: AvroSchema): AvroSchema => ({
    type: 'record',
    name: 'R',
    doc: 'A record.',
    fields: [{ name: 'f', type, doc: 'A field.' }],
  })

  it.each<[string, AvroSchema, string]>([
    ['a string', 'string', 'string'],
    ['a long with a logical type', { type: 'long', logicalType: 'timestamp-millis' }, 'number'],
    ['bytes', 'bytes', 'Buffer'],
    ['a nullable', ['null', 'int'], 'number | null'],
    ['a list of nullables', { type: 'array', items: ['null', 'string'] }, 'readonly (string | null)[]'],
    ['a map', { type: 'map', values: 'double' }, 'Readonly<Record<string, number>>'],
    ['a type of another file', 'netsentinel.Event', 'Event'],
  ])('declares %s', (_what, type, expected) => {
    expect(declarationsOf(record(type))).toEqual([
      `/** A record. */\nexport interface R {\n  /** A field. */\n  readonly f: ${expected}\n}`,
    ])
  })

  it('declares an enum before the record that holds it', () => {
    const declared = declarationsOf(record({ type: 'enum', name: 'E', symbols: ['a', 'b'] }))
    expect(declared[0]).toBe("/** Symbols of E. */\nexport type E = 'a' | 'b'")
    expect(declared[1]).toContain('readonly f: E')
  })

  it('breaks a line that is wider than the formatter allows', () => {
    const symbols = Array.from({ length: 12 }, (_, i) => `symbol${i}xxxx`)
    const [declared] = declarationsOf({ type: 'enum', name: 'E', symbols })
    expect(declared?.split('\n')).toHaveLength(14)
    expect(declared).toContain("export type E =\n  | 'symbol0xxxx'\n  | 'symbol1xxxx'")
  })
})
