import { readFileSync } from 'node:fs'

/** The record schemas that cross a process boundary, by the file that holds them. */
const FILES = {
  Event: 'event.avsc',
  Threat: 'threat.avsc',
  Alert: 'alert.avsc',
  EntityState: 'entity-state.avsc',
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

const NAMED = Object.fromEntries(SCHEMA_NAMES.map(name => [`netsentinel.${name}`, name]))

/**
 * One self-contained schema, as a registry and a foreign reader need it: the first use of a type that another file
 * defines is replaced by its definition, later uses stay names, as the Avro specification asks.
 */
export const loadSchema = (name: SchemaName): AvroSchema => {
  const defined = new Set<string>([name])
  const resolve = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(resolve)
    if (typeof schema === 'string') {
      const other = NAMED[schema]
      if (other === undefined || defined.has(other)) return schema
      defined.add(other)
      return resolve(readSchema(other))
    }
    if (typeof schema !== 'object' || schema === null) return schema
    return Object.fromEntries(
      Object.entries(schema).map(([key, value]) => [
        key,
        key === 'type' || key === 'fields' || key === 'items' || key === 'values' ? resolve(value) : value,
      ]),
    )
  }
  return resolve(readSchema(name)) as AvroSchema
}
