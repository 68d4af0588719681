import { z } from 'zod'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { ModelManifest } from '../detector.ts'
import { parseManifest } from '../manifest.ts'
import { canonicalJson, type Json } from './canonical.ts'
import type { ModelKeys } from './keys.ts'

/** What a pointer says of a model: champion is the one in force, challenger the one that is tried beside it. */
export type Role = 'champion' | 'challenger'

/** Where a model comes from. */
export interface Origin {
  /** Version that was in force when it was made; null for one that replaces none. */
  readonly parent: string | null
  /** Span of the event records that it learnt from, in ms since 1970, from the first up to the last; null when unknown. */
  readonly window: { readonly from: number; readonly to: number } | null
  /** Figures by name, e.g. of its evaluation. */
  readonly metrics: Readonly<Record<string, number>>
  /** What is to be said of it in words; null when nothing is. */
  readonly report: string | null
}

/** A model in the registry, without its bytes. */
export interface ModelRecord extends Origin {
  readonly manifest: ModelManifest
  /** Bytes of the ONNX file, and in how many records they are. */
  readonly size: number
  readonly chunks: number
  /** When it was published, in ms since 1970. */
  readonly published: number
}

/** One move of a pointer. */
export interface Move {
  readonly version: string
  /** Counts the moves of a pointer: a scorer takes a champion of a higher one only. */
  readonly sequence: number
  /** Whether it was a step back. */
  readonly back: boolean
}

/** Where a pointer stands. */
export interface Pointer extends Move {
  readonly role: Role
  /** When it was set, in ms since 1970, and why. */
  readonly at: number
  readonly reason: string
  /** The moves before this one, oldest first; the oldest are forgotten. */
  readonly before: readonly Move[]
}

/** A version is part of a key, a file's name and a metric's label. */
export const VERSION_FORM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Bytes of a model in one record: under what a broker takes by default, 1 MiB. */
const CHUNK_BYTES = 512 * 1024

/** Longest report, in characters. */
const MAX_REPORT = 200_000

const version = z.string().regex(VERSION_FORM)
const time = z.int().min(0)
const move = { version, sequence: z.int().min(1), back: z.boolean() }

const modelSchema = z.strictObject({
  kind: z.literal('model'),
  manifest: z.unknown(),
  size: z.int().min(1),
  chunks: z.int().min(1),
  published: time,
  parent: version.nullable(),
  window: z.strictObject({ from: time, to: time }).nullable(),
  metrics: z.record(z.string(), z.number()),
  report: z.string().max(MAX_REPORT).nullable(),
})

const pointerSchema = z.strictObject({
  kind: z.literal('pointer'),
  role: z.enum(['champion', 'challenger']),
  ...move,
  at: time,
  reason: z.string(),
  before: z.array(z.strictObject(move)),
})

const envelopeSchema = z.strictObject({
  format: z.literal(1),
  key: z.string(),
  signature: z.string(),
  payload: z.unknown(),
})

/** Keys of the topic. */
export const keyOf = {
  manifest: (of: string) => `model/${of}/manifest`,
  chunk: (of: string, index: number) => `model/${of}/chunk/${index}`,
  pointer: (role: Role) => `pointer/${role}`,
} as const

/** What a key is of. */
export type Place =
  | { readonly type: 'manifest'; readonly version: string }
  | { readonly type: 'chunk'; readonly version: string; readonly index: number }
  | { readonly type: 'pointer'; readonly role: Role }

const KEY = /^(?:model\/([^/]+)\/(?:manifest|chunk\/(\d+))|pointer\/(champion|challenger))$/

/** Reads a key; undefined for one that is none of the registry's. */
export const placeOf = (key: string): Place | undefined => {
  const [matches, of, index, role] = KEY.exec(key) ?? []
  if (matches === undefined) return undefined
  if (role === 'champion' || role === 'challenger') return { type: 'pointer', role }
  if (of === undefined) return undefined
  return index === undefined
    ? { type: 'manifest', version: of }
    : { type: 'chunk', version: of, index: Number(index) }
}

const refuse = (reason: string, cause?: unknown) => new SentinelError('NS_MODEL_REFUSED', reason, { cause })

const seal = (payload: Json, keys: ModelKeys): Buffer => {
  const signed = keys.sign(canonicalJson(payload))
  return Buffer.from(canonicalJson({ format: 1, ...signed, payload }))
}

const unseal = (bytes: Buffer, keys: ModelKeys): unknown => {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw refuse(`it is not JSON: ${messageOf(cause)}`, cause)
  }
  const envelope = envelopeSchema.safeParse(value)
  if (!envelope.success) throw refuse(`it is not signed as it should be: ${z.prettifyError(envelope.error)}`)
  const { payload, ...signed } = envelope.data
  const problem = keys.problemOf(canonicalJson(payload as Json), signed)
  if (problem !== undefined) throw refuse(problem)
  return payload
}

const parse = <T extends z.ZodType>(schema: T, payload: unknown): z.output<T> => {
  const parsed = schema.safeParse(payload)
  if (!parsed.success) throw refuse(`it does not hold what it should: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** A value as JSON holds it, without whatever JSON does not hold. */
const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json

/** The signed value of a model's manifest record. Throws NS_CONFIG_INVALID where nothing can be signed. */
export const encodeModel = (record: ModelRecord, keys: ModelKeys): Buffer =>
  seal(asJson({ kind: 'model', ...record }), keys)

/** Reads a manifest record. Throws NS_MODEL_REFUSED: not signed by a key that is believed, of another version, not valid. */
export const decodeModel = (bytes: Buffer, of: string, keys: ModelKeys): ModelRecord => {
  const { kind: _, manifest, ...rest } = parse(modelSchema, unseal(bytes, keys))
  const record = { ...rest, manifest: parseManifest(manifest) }
  if (record.manifest.version !== of) throw refuse(`it is the manifest of ${record.manifest.version}`)
  return record
}

/** The signed value of a pointer. Throws NS_CONFIG_INVALID where nothing can be signed. */
export const encodePointer = (pointer: Pointer, keys: ModelKeys): Buffer =>
  seal(asJson({ kind: 'pointer', ...pointer }), keys)

/** Reads a pointer. Throws NS_MODEL_REFUSED: not signed by a key that is believed, of another role, not valid. */
export const decodePointer = (bytes: Buffer, role: Role, keys: ModelKeys): Pointer => {
  const { kind: _, ...pointer } = parse(pointerSchema, unseal(bytes, keys))
  if (pointer.role !== role) throw refuse(`it is the pointer of the ${pointer.role}`)
  return pointer
}

/** Cuts a model into the values of its chunk records. */
export const chunksOf = (onnx: Uint8Array): Buffer[] =>
  Array.from({ length: Math.ceil(onnx.length / CHUNK_BYTES) }, (_, i) =>
    Buffer.from(onnx.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)),
  )
