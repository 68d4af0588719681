import { messageOf, SentinelError, toSentinelError } from '../../runtime/errors.ts'
import { assertFeatures } from '../manifest.ts'
import type { ModelKeys } from './keys.ts'
import { stepsBack } from './pointers.ts'
import {
  decodeModel,
  decodePointer,
  keyOf,
  type ModelRecord,
  type Pointer,
  placeOf,
  type Role,
} from './records.ts'

/** A record of the topic, as far as it matters here. */
export interface LedgerRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly offset: number
}

/** A version as the topic holds it. */
export interface HeldModel {
  readonly version: string
  /** What its manifest says; undefined when that cannot be believed. */
  readonly record: ModelRecord | undefined
  /** Why it cannot be served, as far as that is known without its bytes; undefined when nothing speaks against it. */
  readonly problem: string | undefined
  /** Offsets of its manifest, and of its chunks by their place. */
  readonly offset: number
  readonly chunks: ReadonlyMap<number, number>
}

/** What the topic comes to, without the bytes of the models. */
export interface Ledger {
  /** Takes records in log order. Nothing in them makes it throw: what cannot be believed is kept with the reason. */
  take(records: readonly LedgerRecord[]): void
  /** Every version that has a manifest, the latest published last. */
  models(): HeldModel[]
  model(version: string): HeldModel | undefined
  /** Where a pointer stands, by the last one that can be believed. */
  pointer(role: Role): Pointer | undefined
  /** Why the latest record of a pointer was passed over; undefined when it was not. */
  pointerProblem(role: Role): string | undefined
  /** Keys to remove when one more version is published, so that the last 10 are left, and those that a pointer needs. */
  retired(): string[]
}

/** A manifest record, and what it says, or why that is not believed. */
interface Manifest {
  readonly decoded: ModelRecord | SentinelError
  readonly offset: number
}

/** Versions that are kept. */
const KEPT = 10

/** Makes the ledger of the topic `models`. */
export const createLedger = (keys: ModelKeys): Ledger => {
  const manifests = new Map<string, Manifest>()
  const chunks = new Map<string, Map<number, number>>()
  const pointers = new Map<Role, Pointer>()
  const problems = new Map<Role, string>()

  const takePointer = (role: Role, value: Buffer | null) => {
    problems.delete(role)
    if (value === null) {
      pointers.delete(role)
      return
    }
    try {
      const pointer = decodePointer(value, role, keys)
      const known = pointers.get(role)
      // Somebody may write an old one again, signature and all.
      if (known !== undefined && pointer.sequence < known.sequence) {
        problems.set(role, `it has the sequence ${pointer.sequence}, after ${known.sequence}`)
      } else pointers.set(role, pointer)
    } catch (error) {
      problems.set(role, messageOf(error))
    }
  }

  const takeChunk = (version: string, index: number, { value, offset }: LedgerRecord) => {
    const held = chunks.get(version) ?? new Map<number, number>()
    chunks.set(version, held)
    if (value === null) held.delete(index)
    else held.set(index, offset)
    if (held.size === 0) chunks.delete(version)
  }

  const decode = (version: string, value: Buffer): ModelRecord | SentinelError => {
    try {
      return decodeModel(value, version, keys)
    } catch (error) {
      return toSentinelError(error)
    }
  }

  const takeOne = (record: LedgerRecord) => {
    const place = placeOf(record.key?.toString('utf8') ?? '')
    if (place?.type === 'pointer') takePointer(place.role, record.value)
    else if (place?.type === 'chunk') takeChunk(place.version, place.index, record)
    else if (place !== undefined) {
      const { value, offset } = record
      if (value === null) manifests.delete(place.version)
      else manifests.set(place.version, { decoded: decode(place.version, value), offset })
    }
  }

  const problemOf = (record: ModelRecord, held: ReadonlyMap<number, number>): string | undefined => {
    for (let i = 0; i < record.chunks; i++) {
      if (!held.has(i)) return `chunk ${i + 1} of ${record.chunks} is missing`
    }
    try {
      assertFeatures(record.manifest)
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }

  const model = (version: string): HeldModel | undefined => {
    const manifest = manifests.get(version)
    if (manifest === undefined) return undefined
    const held = chunks.get(version) ?? new Map<number, number>()
    const { decoded, offset } = manifest
    return decoded instanceof SentinelError
      ? { version, record: undefined, problem: decoded.message, offset, chunks: held }
      : { version, record: decoded, problem: problemOf(decoded, held), offset, chunks: held }
  }

  const models = () =>
    [...manifests.keys()].flatMap(version => model(version) ?? []).sort((a, b) => a.offset - b.offset)

  /** Versions that a pointer names, the one that it would step back to, and the one to serve when its own is refused. */
  const needed = (): Set<string> =>
    new Set(
      [...pointers.values()].flatMap(pointer => [
        pointer.version,
        ...stepsBack(pointer).slice(-1),
        ...pointer.before.slice(-1).map(each => each.version),
      ]),
    )

  return {
    take: records => {
      for (const record of records) takeOne(record)
    },
    models,
    model,
    pointer: role => pointers.get(role),
    pointerProblem: role => problems.get(role),
    retired: () => {
      const kept = needed()
      return models()
        .slice(0, -(KEPT - 1))
        .filter(({ version }) => !kept.has(version))
        .flatMap(({ version, chunks: held }) => [
          keyOf.manifest(version),
          ...[...held.keys()].map(index => keyOf.chunk(version, index)),
        ])
    },
  }
}
