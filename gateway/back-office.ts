import type { Check } from '../runtime/lifecycle.ts'

/** A model of the registry in a line. Times are in ms since 1970 (UTC); null where its manifest cannot be believed. */
export interface ModelSummary {
  readonly version: string
  readonly state: string
  /** Why it cannot be served; null when nothing is known to speak against it. */
  readonly problem: string | null
  readonly published: number | null
  /** In bytes. */
  readonly size: number | null
  readonly rows: number | null
  readonly parent: string | null
}

/** All that is to be said of a model. */
export interface ModelDetail extends ModelSummary {
  readonly pointers: readonly {
    readonly role: string
    readonly sequence: number
    readonly at: number
    readonly reason: string
  }[]
  readonly window: { readonly from: number; readonly to: number } | null
  readonly metrics: Readonly<Record<string, number>>
  readonly report: string | null
  readonly threshold: number | null
  readonly models: readonly string[]
  readonly sha256: string | null
}

/** Why what was asked for was not done. */
interface Refused {
  readonly refused: string
}

/** Where the champion's pointer has been moved to, or why it was not. */
export type Moved = { readonly version: string; readonly sequence: number } | Refused

/** A retraining. Times are in ms since 1970 (UTC). */
export interface RetrainingJob {
  readonly id: string
  readonly state: 'waiting' | 'active' | 'completed' | 'failed'
  readonly trigger: string
  readonly added: number
  readonly started: number | null
  readonly ended: number | null
  /** `done` is 0 to 1, of the phase. */
  readonly progress: { readonly phase: string; readonly done: number } | null
  readonly result: {
    readonly outcome: 'promoted' | 'rejected' | 'rolled-back' | 'failed'
    readonly version: string | null
    readonly reason: string
  } | null
}

/** A piece of a record with its secrets masked: text, or how many bytes there are that are none. */
type Masked = { readonly text: string } | { readonly bytes: number } | null

/** A dead letter. */
export interface Letter {
  readonly id: string
  /** ISO 8601. */
  readonly time: string
  readonly code: string
  readonly reason: string
  readonly stage: string
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number }
  readonly attempt: number
  readonly replayed: { readonly into: string; readonly time: string } | null
  readonly key: Masked
  readonly headers: readonly { readonly name: string; readonly value: Masked }[]
  readonly value: Masked
}

/** Which dead letters are asked for. Times are in ms since 1970 (UTC), `to` is the first that is too late. */
export interface LettersQuery {
  readonly code?: string
  readonly stage?: string
  readonly source?: string
  readonly from?: number
  readonly to?: number
  readonly pending: boolean
  readonly limit: number
}

/**
 * What people do to the pipeline through the gateway, which does not import it: the program hands it in. All of it throws
 * NS_SERVICE_UNREACHABLE while what it stands on is away.
 */
export interface BackOffice {
  readonly models: {
    list(): Promise<readonly ModelSummary[]>
    find(version: string): Promise<ModelDetail | undefined>
    promote(version: string, reason: string): Promise<Moved>
    rollback(reason: string): Promise<Moved>
  }
  readonly retraining: {
    start(trigger: string): Promise<RetrainingJob | undefined>
    list(): Promise<readonly RetrainingJob[]>
    find(id: string): Promise<RetrainingJob | undefined>
    /** False when there is no such job that waits or is being done. */
    cancel(id: string): Promise<boolean>
  }
  readonly deadLetters: {
    /** The latest first. */
    list(query: LettersQuery): Promise<readonly Letter[]>
    find(id: string): Promise<Letter | undefined>
    replay(
      ids: readonly string[],
      how: { readonly again: boolean },
    ): Promise<
      | {
          readonly replayed: readonly string[]
          readonly replayedBefore: number
          readonly withheld: number
          readonly missing: number
        }
      | Refused
    >
  }
}

/** Where a pointer to a model stands, since when (ms since 1970, UTC), and why. */
export interface ModelPointer {
  readonly version: string
  /** Higher with each move. */
  readonly sequence: number
  /** Whether it was moved back to a version that it had left. */
  readonly back: boolean
  readonly at: number
  readonly reason: string
}

/** The pointers, undefined where there is none. */
export type ModelPointers = Readonly<Record<'champion' | 'challenger', ModelPointer | undefined>>

/** What the back office tells by itself. */
export interface BackOfficeNews {
  /** Where the pointers stand: at once, and whenever one may have moved. */
  pointers(pointers: ModelPointers): void
  /** A retraining that is under way, at once; and each that has come further or ended. */
  retraining(job: RetrainingJob): void
}

/** A back office that runs, as a part of the gateway. */
export interface OpenBackOffice extends BackOffice {
  /** Tells from now on. Throws NS_SERVICE_UNREACHABLE. */
  follow(news: BackOfficeNews): Promise<void>
  check(): Promise<readonly Check[]>
  readonly failed: Promise<never>
  close(): Promise<void>
}
