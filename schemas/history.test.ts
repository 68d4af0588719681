import { describe, expect, it } from '@jest/globals'
import { type AvroSchema, loadSchema, SCHEMA_NAMES, type SchemaName } from './avro.ts'
import { type HistoryFile, incompatibility, nextHistory, readHistory } from './history.ts'

const record = (...fields: readonly object[]): AvroSchema => ({ type: 'record', name: 'Event', fields })
const ID = { name: 'id', type: 'string' }
const file = (name: SchemaName, version: number, schema: AvroSchema): HistoryFile => ({
  name,
  version,
  path: `schemas/history/${name}/${version}.avsc`,
  content: `${JSON.stringify(schema, null, 2)}\n`,
})

describe('the history of the schemas', () => {
  it.each(SCHEMA_NAMES)('has %s as it is now for its newest version', name => {
    const versions = readHistory().filter(each => each.name === name)
    const newest = versions.at(-1)
    const same = JSON.stringify(JSON.parse(newest?.content ?? '{}')) === JSON.stringify(loadSchema(name))
    expect(same ? '' : `add schemas/history/${name}/${versions.length + 1}.avsc (npm run generate)`).toBe('')
    expect(versions.map(({ version }) => version)).toEqual(versions.map((_, i) => i + 1))
  })

  it.each(readHistory().map(({ path, name, content }) => [path, name, content] as const))(
    'can still read what was written with %s',
    (_path, name, content) => {
      expect(incompatibility(loadSchema(name), JSON.parse(content) as AvroSchema)).toBeUndefined()
    },
  )
})

describe('incompatibility', () => {
  const enumOf = (symbols: string[], rest = {}) => ({ type: 'enum', name: 'E', symbols, ...rest })

  it.each<[string, AvroSchema, AvroSchema]>([
    ['a new field with a default', record(ID, { name: 'n', type: 'int', default: 0 }), record(ID)],
    ['a field removed', record(ID), record(ID, { name: 'n', type: 'int' })],
    [
      'an int that became a double',
      record({ name: 'n', type: 'double' }),
      record({ name: 'n', type: 'int' }),
    ],
    [
      'a value that became nullable',
      record({ name: 'n', type: ['null', 'int'] }),
      record({ name: 'n', type: 'int' }),
    ],
    ['an enum with one more symbol', enumOf(['a', 'b']), enumOf(['a'])],
  ])('allows %s', (_what, reader, writer) => {
    expect(incompatibility(reader, writer)).toBeUndefined()
  })

  it.each<[string, AvroSchema, AvroSchema, RegExp]>([
    ['a new field without a default', record(ID, { name: 'n', type: 'int' }), record(ID), /\bn\b/],
    ['a renamed field', record({ name: 'uid', type: 'string' }), record(ID), /uid/],
    ['another type', record({ name: 'n', type: 'int' }), record({ name: 'n', type: 'string' }), /int/],
    [
      'a nullable that lost its null',
      record({ name: 'n', type: 'int' }),
      record({ name: 'n', type: ['null', 'int'] }),
      /null/,
    ],
    ['an enum that lost a symbol', enumOf(['a']), enumOf(['a', 'b']), /^b is no longer/],
    [
      'a field of a record in a record, with its path',
      record({
        name: 'o',
        type: ['null', { type: 'record', name: 'O', fields: [{ name: 'p', type: 'int' }] }],
      }),
      record({
        name: 'o',
        type: ['null', { type: 'record', name: 'O', fields: [{ name: 'p', type: 'string' }] }],
      }),
      /^o: p: .*string.*int/,
    ],
  ])('refuses %s and says why', (_what, reader, writer, reason) => {
    expect(incompatibility(reader, writer)).toMatch(reason)
  })

  it('throws for what is not a schema', () => {
    expect(() => incompatibility({ type: 'nonsense' }, 'string')).toThrow(
      expect.objectContaining({ code: 'NS_SCHEMA_INCOMPATIBLE' }),
    )
  })
})

describe('nextHistory', () => {
  it('has nothing to add while nothing changes', () => {
    expect(nextHistory()).toEqual([])
  })

  it('starts at 1, and adds the next version after a change', () => {
    const first = record(ID)
    expect(nextHistory({ Event: first }, [])).toEqual([file('Event', 1, first)])
    const second = record(ID, { name: 'n', type: 'int', default: 0 })
    const past = [file('Event', 1, first), file('Alert', 7, record(ID))]
    expect(nextHistory({ Event: second }, past)).toEqual([file('Event', 2, second)])
  })

  it('refuses a change that makes any version unreadable, naming the version and the field', () => {
    const past = [file('Event', 1, record(ID)), file('Event', 2, record(ID, { name: 'n', type: 'int' }))]
    expect(() => nextHistory({ Event: record(ID, { name: 'n', type: 'int' }) }, past)).toThrow(
      /Event cannot read what was written with schemas\/history\/Event\/1\.avsc: .*\bn\b/,
    )
  })
})
