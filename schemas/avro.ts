import { readFileSync } from 'node:fs'

/** The record schemas that cross a process boundary, by the file that holds them. */
const FILES = {
  Event: 'event.avsc',
  Threat: 'threat.avsc',
  Alert: 'alert.avsc',
  EntityState: 'entity-state.avsc',
  Decision: 'decision.avsc',
  AlertState: 'alert-state.avsc',
} as const

/** Name of a schema. */
export type SchemaName = keyof typeof FILES

/** An Avro schema as JSON; its structure is the Avro specification's. */
export type AvroSchema = string | readonly AvroSchema[] | { readonly [key: string]: unknown }

/** Every schema name, in the order of dependence. */
export const SCHEMA_NAMES = Object.keys(FILES) as SchemaName[]

/** Reads one schema as it is written: named types of other files stay names. */
export const readSchema = (name: SchemaName): AvroSchema =>
  JSON.parse(readFileSync(new URL(FILES[name], import.meta.url), 'utf8')) as AvroSchema

/** Names of the fields of a record schema, in order. */
export const fieldNames = (name: SchemaName): string[] => {
  const { fields } = readSchema(name) as { readonly fields: readonly { readonly name: string }[] }
  return fields.map(field => field.name)
}

/** The part of a schema that may hold further types. */
const NESTING = ['type', 'fields', 'items', 'values']

const isObject = (schema: unknown): schema is Readonly<Record<string, unknown>> =>
  typeof schema === 'object' && schema !== null && !Array.isArray(schema)

/** Full name of the record or enum that is defined here; undefined where none is. */
const definedName = (schema: Readonly<Record<string, unknown>>): string | undefined =>
  typeof schema['name'] === 'string' && (schema['type'] === 'record' || schema['type'] === 'enum')
    ? `netsentinel.${schema['name']}`
    : undefined

/** Every named type of the files, by full name, as it is written where it is defined. */
const DEFINITIONS = new Map<string, unknown>()

const collect = (schema: unknown): void => {
  if (Array.isArray(schema)) for (const each of schema) collect(each)
  if (!isObject(schema)) return
  const name = definedName(schema)
  if (name !== undefined) DEFINITIONS.set(name, schema)
  for (const key of NESTING) collect(schema[key])
}

for (const name of SCHEMA_NAMES) collect(readSchema(name))

/**
 * One self-contained schema, as a registry and a foreign reader need it: the first use of a type that another file
 * defines is replaced by its definition, later uses stay names, as the Avro specification asks.
 */
export const loadSchema = (name: SchemaName): AvroSchema => {
  const defined = new Set<string>()
  const resolve = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(resolve)
    if (typeof schema === 'string') {
      return DEFINITIONS.has(schema) && !defined.has(schema) ? resolve(DEFINITIONS.get(schema)) : schema
    }
    if (!isObject(schema)) return schema
    const own = definedName(schema)
    if (own !== undefined && defined.has(own)) return own
    if (own !== undefined) defined.add(own)
    return Object.fromEntries(
      Object.entries(schema).map(([key, value]) => [key, NESTING.includes(key) ? resolve(value) : value]),
    )
  }
  return resolve(readSchema(name)) as AvroSchema
}
