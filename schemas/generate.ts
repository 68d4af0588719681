import { type AvroSchema, readSchema, SCHEMA_NAMES } from './avro.ts'

interface Field {
  readonly name: string
  readonly type: AvroSchema
  readonly doc?: string
}

interface Named {
  readonly type: string
  readonly name: string
  readonly doc?: string
  readonly fields?: readonly Field[]
  readonly symbols?: readonly string[]
  readonly items?: AvroSchema
  readonly values?: AvroSchema
}

const PRIMITIVES: Record<string, string> = {
  null: 'null',
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
}

const isList = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)

/** The TypeScript type of a schema; declarations of the named types in it are appended to `out`. */
const typeOf = (schema: AvroSchema, out: string[]): string => {
  if (typeof schema === 'string') return PRIMITIVES[schema] ?? schema.split('.').at(-1) ?? schema
  if (isList(schema))
    return schema
      .map(branch => typeOf(branch, out))
      .toSorted(a => (a === 'null' ? 1 : -1))
      .join(' | ')
  const named = schema as unknown as Named
  switch (named.type) {
    case 'record':
      return declareRecord(named, out)
    case 'enum':
      out.push(declareEnum(named))
      return named.name
    case 'array':
      return `readonly ${wrap(typeOf(named.items ?? 'null', out))}[]`
    case 'map':
      return `Readonly<Record<string, ${typeOf(named.values ?? 'null', out)}>>`
    default:
      return typeOf(named.type, out)
  }
}

// The widths of biome.json: what is written here must be what the formatter would leave.
const LINE_WIDTH = 110

const declareEnum = ({ name, doc, symbols = [] }: Named): string => {
  const start = `/** ${doc ?? `Symbols of ${name}.`} */\nexport type ${name} =`
  const members = symbols.map(symbol => `'${symbol}'`)
  const line = `export type ${name} = ${members.join(' | ')}`
  return line.length <= LINE_WIDTH
    ? `${start} ${members.join(' | ')}`
    : `${start}\n${members.map(member => `  | ${member}`).join('\n')}`
}

const wrap = (type: string) => (type.includes(' | ') ? `(${type})` : type)

const declareRecord = (record: Named, out: string[]): string => {
  const fields = (record.fields ?? []).flatMap(field => [
    `  /** ${field.doc ?? ''} */`,
    `  readonly ${field.name}: ${typeOf(field.type, out)}`,
  ])
  out.push([`/** ${record.doc ?? ''} */`, `export interface ${record.name} {`, ...fields, '}'].join('\n'))
  return record.name
}

/** The TypeScript declarations of the named types of a schema, each after the ones that it uses. */
export const declarationsOf = (schema: AvroSchema): string[] => {
  const out: string[] = []
  typeOf(schema, out)
  return out
}

/** Renders `schemas/generated.ts`: one TypeScript type for each named type of the `*.avsc` files. */
export const renderTypes = (): string => {
  const declarations = SCHEMA_NAMES.flatMap(name => declarationsOf(readSchema(name)))
  return `// Written by \`npm run generate\` from schemas/*.avsc. Do not edit.\n\n${declarations.join('\n\n')}\n`
}
