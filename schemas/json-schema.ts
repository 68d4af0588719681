import { type AvroSchema, readSchema, SCHEMA_NAMES, type SchemaName } from './avro.ts'

/** A JSON Schema (2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>

interface Field {
  readonly name: string
  readonly type: AvroSchema
  readonly doc?: string
}

/** The parts of an Avro schema that is an object. */
interface Complex {
  readonly type: AvroSchema
  readonly name?: string
  readonly doc?: string
  readonly fields?: readonly Field[]
  readonly symbols?: readonly string[]
  readonly items?: AvroSchema
  readonly values?: AvroSchema
}

const PRIMITIVES: Readonly<Record<string, JsonSchema>> = {
  null: { type: 'null' },
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int: { type: 'integer' },
  long: { type: 'integer' },
  float: { type: 'number' },
  double: { type: 'number' },
}

const isList = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)

/** A null beside one other type is written into its `type`, which every reader understands. */
const union = (branches: readonly JsonSchema[]): JsonSchema => {
  const [other, ...more] = branches.filter(({ type }) => type !== 'null')
  if (other === undefined || more.length > 0 || typeof other['type'] !== 'string') return { anyOf: branches }
  if (other['title'] !== undefined) return { anyOf: [other, { type: 'null' }] }
  return { ...other, type: [other['type'], 'null'] }
}

/**
 * The JSON Schema of a record as JSON has it: every field is there, numbers are numbers. Records and enums carry their
 * names as titles.
 */
export const jsonSchemaOf = (name: SchemaName): JsonSchema => {
  const convert = (schema: AvroSchema): JsonSchema => {
    if (isList(schema)) return union(schema.map(convert))
    if (typeof schema === 'string') {
      const short = schema.split('.').at(-1) ?? schema
      const file = SCHEMA_NAMES.find(each => each === short)
      return PRIMITIVES[short] ?? named.get(short) ?? (file === undefined ? {} : convert(readSchema(file)))
    }
    const { type, ...rest } = schema as unknown as Complex
    if (type === 'array') return { type: 'array', items: convert(rest.items ?? 'null') }
    if (type === 'map') return { type: 'object', additionalProperties: convert(rest.values ?? 'null') }
    if (type !== 'record' && type !== 'enum') return convert(type)
    const made = type === 'enum' ? enumOf(rest) : recordOf(rest)
    named.set(rest.name ?? '', made)
    return made
  }
  const describe = ({ name: title, doc }: Omit<Complex, 'type'>) => ({
    title,
    ...(doc === undefined ? {} : { description: doc }),
  })
  const enumOf = (schema: Omit<Complex, 'type'>): JsonSchema => ({
    type: 'string',
    ...describe(schema),
    enum: schema.symbols,
  })
  const recordOf = (schema: Omit<Complex, 'type'>): JsonSchema => {
    const fields = schema.fields ?? []
    return {
      type: 'object',
      ...describe(schema),
      required: fields.map(field => field.name),
      properties: Object.fromEntries(
        fields.map(({ name: key, type, doc }) => {
          const schema = convert(type)
          // What has a name is one thing wherever it is used.
          const isOwn = schema['title'] === undefined && doc !== undefined
          return [key, isOwn ? { ...schema, description: doc } : schema]
        }),
      ),
    }
  }
  const named = new Map<string, JsonSchema>()
  return convert(readSchema(name))
}
