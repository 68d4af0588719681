import { readdirSync, readFileSync } from 'node:fs'
import avro from 'avsc'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import { type AvroSchema, loadSchema, SCHEMA_NAMES, type SchemaName } from './avro.ts'

/** A file of the history, as it is or as it is to be written. */
export interface HistoryFile {
  readonly name: SchemaName
  /** 1 for the first. */
  readonly version: number
  /** From the root of the repository: `schemas/history/<Name>/<version>.avsc`. */
  readonly path: string
  readonly content: string
}

const FOLDER = new URL('history/', import.meta.url)

const filesOf = (name: SchemaName): string[] => {
  try {
    return readdirSync(new URL(`${name}/`, FOLDER))
  } catch (cause) {
    // A schema that has just been added has no folder yet.
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  }
}

/** Every schema that a release has written records with, self-contained, oldest first by name. */
export const readHistory = (): HistoryFile[] =>
  SCHEMA_NAMES.flatMap(name =>
    filesOf(name)
      .map(file => ({ file, version: Number(file.replace(/\.avsc$/, '')) }))
      .toSorted((a, b) => a.version - b.version)
      .map(({ file, version }) => ({
        name,
        version,
        path: `schemas/history/${name}/${file}`,
        content: readFileSync(new URL(`${name}/${file}`, FOLDER), 'utf8'),
      })),
  )

/**
 * Why records written with one schema cannot be read with another, by the schema resolution of the Avro specification:
 * the path of the field and what is wrong there; undefined when they can.
 *
 * Throws NS_SCHEMA_INCOMPATIBLE when either is not a schema.
 */
export const incompatibility = (reader: AvroSchema, writer: AvroSchema): string | undefined =>
  conflict(typeOf(reader), typeOf(writer))

const conflict = (reader: avro.Type, writer: avro.Type): string | undefined => {
  try {
    reader.createResolver(writer)
    return undefined
  } catch (cause) {
    return deeperConflict(withoutNull(reader), withoutNull(writer)) ?? messageOf(cause)
  }
}

/** The conflict where it lies, for the library names only the outermost types. */
const deeperConflict = (reader: avro.Type, writer: avro.Type): string | undefined => {
  const { RecordType, EnumType } = avro.types
  if (reader instanceof RecordType && writer instanceof RecordType) {
    for (const { name, type } of reader.fields) {
      const written = writer.fields.find(field => field.name === name)
      const reason = written && conflict(type, written.type)
      if (reason !== undefined) return `${name}: ${reason}`
    }
  }
  if (reader instanceof EnumType && writer instanceof EnumType) {
    const lost = writer.symbols.filter(symbol => !reader.symbols.includes(symbol))
    if (lost.length > 0) return `${lost.join(', ')} is no longer among its symbols`
  }
  return undefined
}

/** X of the union of null and X. */
const withoutNull = (type: avro.Type): avro.Type => {
  if (!(type instanceof avro.types.UnwrappedUnionType)) return type
  const [only, ...others] = type.types.filter(({ typeName }) => typeName !== 'null')
  return only !== undefined && others.length === 0 ? only : type
}

const typeOf = (schema: AvroSchema): avro.Type => {
  try {
    return avro.Type.forSchema(schema as avro.Schema)
  } catch (cause) {
    throw new SentinelError('NS_SCHEMA_INCOMPATIBLE', `not an Avro schema: ${messageOf(cause)}`, { cause })
  }
}

const render = (schema: AvroSchema): string => `${JSON.stringify(schema, null, 2)}\n`

const currentSchemas = (): Partial<Record<SchemaName, AvroSchema>> =>
  Object.fromEntries(SCHEMA_NAMES.map(name => [name, loadSchema(name)]))

/**
 * The files that the history lacks: for each schema that differs from its newest version, the next one. `npm run
 * generate` writes them; one that no release has carried yet may be replaced instead.
 *
 * Throws NS_SCHEMA_INCOMPATIBLE, with the version and the reason, when records of any version could not be read any more.
 */
export const nextHistory = (
  current: Partial<Record<SchemaName, AvroSchema>> = currentSchemas(),
  history: readonly HistoryFile[] = readHistory(),
): HistoryFile[] =>
  SCHEMA_NAMES.flatMap(name => {
    const schema = current[name]
    if (schema === undefined) return []
    const past = history.filter(file => file.name === name)
    for (const { path, content } of past) {
      const reason = incompatibility(schema, JSON.parse(content) as AvroSchema)
      if (reason !== undefined)
        throw new SentinelError(
          'NS_SCHEMA_INCOMPATIBLE',
          `${name} cannot read what was written with ${path}: ${reason}`,
        )
    }
    const content = render(schema)
    const newest = past.at(-1)
    if (newest?.content === content) return []
    const version = (newest?.version ?? 0) + 1
    return [{ name, version, path: `schemas/history/${name}/${version}.avsc`, content }]
  })
