import type { Writable } from 'node:stream'
import type { Severity } from '../../schemas/generated.ts'
import { createDropped, type Dropped, type Origin } from './dropped.ts'
import { textFrame } from './frame.ts'
import type { Batch, Gather } from './hub.ts'

/** Where an outbox writes: a socket, or a stream in tests. */
export type Sink = Pick<Writable, 'write' | 'writableLength' | 'writableNeedDrain' | 'destroyed' | 'once'>

/** What waits for one socket. */
export interface Outbox {
  /**
   * Queues a frame; returns false, and drops all that waits, when the cap of bytes would be passed. A frame that is
   * larger than the cap itself is taken when nothing else waits.
   *
   * Before that, frames with an origin are left out, the least severe first: those that come while more than their share of
   * the cap is taken, and when the cap itself would be passed those that wait. Never critical ones. What was left out is
   * said at the end of the next write.
   */
  add(frame: Buffer, origin?: Origin): boolean
  /** Queues frames, as `add` does each of them. */
  addAll(batch: Batch): boolean
  /** Bytes that wait here and in the socket. */
  readonly bytes: number
  /** Writes what waits, unless the socket is behind; drops the rest, and takes nothing more. */
  close(): void
}

/** So many bytes are written without waiting for the end of the turn: joining more of them saves nothing. */
const FULL_WRITE_BYTES = 65_536

/** The part of the cap up to which frames of a severity are taken, in the order in which they are left out. */
const SHARES: readonly (readonly [Severity, number])[] = [
  ['low', 0.5],
  ['medium', 0.65],
  ['high', 0.8],
]
/** Up to here nothing is left out. */
const LEAST_SHARE = Math.min(...SHARES.map(([, share]) => share))
const SHARE_OF: Readonly<Partial<Record<Severity, number>>> = Object.fromEntries(SHARES)

/** After writing to all sockets, a flusher rests for this many times as long as it took; a frame never waits longer for it. */
const REST = 4
const MAX_REST_MS = 50

/** Runs something so many ms from now: less than one is at the end of this turn of the event loop. */
type Schedule = (run: () => void, afterMs: number) => unknown

const soon: Schedule = (run, afterMs) => (afterMs < 1 ? setImmediate(run) : setTimeout(run, afterMs))

/** Writes what was queued for many sockets. */
export interface Flusher {
  /** Makes the outbox of a socket. */
  open(sink: Sink, maxBytes: number): Outbox
  /** Does something at the beginning of the next round. */
  readonly gather: Gather
}

/** Joins frames; sockets that wait for the same frames get the same buffer. */
const createJoiner = () => {
  let lastFrames: readonly Buffer[] = []
  let lastJoined = Buffer.alloc(0)
  const isLast = (frames: readonly Buffer[]) =>
    frames.length === lastFrames.length && frames.every((frame, index) => frame === lastFrames[index])
  return {
    join: (frames: readonly Buffer[]): Buffer => {
      const [only] = frames
      if (frames.length === 1 && only !== undefined) return only
      if (!isLast(frames)) {
        lastFrames = frames
        lastJoined = Buffer.concat(frames)
      }
      return lastJoined
    },
    forget: () => {
      lastFrames = []
      lastJoined = Buffer.alloc(0)
    },
  }
}

/** What the outboxes of a flusher share. */
interface Shared {
  join(frames: readonly Buffer[]): Buffer
  /** Has an outbox flushed with the next round. */
  mark(outbox: SocketOutbox): void
  unmark(outbox: SocketOutbox): void
  dropped(origin: Origin): void
}

/** A class, because there are tens of thousands: its functions are not made anew for each. */
class SocketOutbox implements Outbox {
  readonly #sink: Sink
  readonly #maxBytes: number
  readonly #shared: Shared
  #waiting: Buffer[] = []
  /** Where each of those comes from. */
  #origins: (Origin | undefined)[] = []
  #waitingBytes = 0
  #dropped: Dropped | undefined
  #isOpen = true
  #isDraining = false

  constructor(sink: Sink, maxBytes: number, shared: Shared) {
    this.#sink = sink
    this.#maxBytes = maxBytes
    this.#shared = shared
  }

  add(frame: Buffer, origin?: Origin): boolean {
    if (!this.#isOpen) return false
    const share = origin === undefined ? undefined : SHARE_OF[origin.severity]
    if (origin !== undefined && share !== undefined && !this.#fits(frame, share)) {
      this.#leaveOut(origin)
      return true
    }
    if (!this.#fits(frame, 1) && !this.#makeRoom(frame)) {
      this.#isOpen = false
      this.#drop()
      return false
    }
    this.#waiting.push(frame)
    this.#origins.push(origin)
    this.#added(frame.length)
    return true
  }

  addAll({ frames, origins, bytes }: Batch): boolean {
    const isSure = this.#isOpen && this.bytes + bytes <= this.#maxBytes * LEAST_SHARE
    if (!isSure) return frames.every((frame, index) => this.add(frame, origins[index]))
    this.#waiting.push(...frames)
    this.#origins.push(...origins)
    this.#added(bytes)
    return true
  }

  get bytes(): number {
    return this.#waitingBytes + this.#sink.writableLength
  }

  close(): void {
    this.flush()
    this.#isOpen = false
    this.#drop()
  }

  /** Writes what waits, unless the socket is behind: then when it has drained. */
  flush(): void {
    const isIdle = this.#waiting.length === 0 && this.#dropped === undefined
    if (!this.#isOpen || this.#sink.destroyed || isIdle) return
    if (this.#sink.writableNeedDrain) {
      if (this.#isDraining) return
      this.#isDraining = true
      this.#sink.once('drain', () => {
        this.#isDraining = false
        this.flush()
      })
      return
    }
    const notices = this.#dropped?.notices().map(notice => textFrame(JSON.stringify(notice))) ?? []
    const frames = notices.length === 0 ? this.#waiting : [...this.#waiting, ...notices]
    this.#dropped = undefined
    this.#empty()
    this.#sink.write(this.#shared.join(frames))
  }

  #added(bytes: number): void {
    this.#waitingBytes += bytes
    if (this.#waitingBytes >= FULL_WRITE_BYTES) this.flush()
    else this.#shared.mark(this)
  }

  #fits({ length }: Buffer, share: number): boolean {
    const ahead = this.bytes
    return ahead === 0 || ahead + length <= this.#maxBytes * share
  }

  /** Leaves out what waits, the least severe first, until a frame fits; false when it does not even then. */
  #makeRoom(frame: Buffer): boolean {
    return SHARES.some(([severity]) => {
      this.#thin(severity)
      return this.#fits(frame, 1)
    })
  }

  /** Leaves out what waits of a severity. */
  #thin(severity: Severity): void {
    const isKept = this.#origins.map(origin => origin?.severity !== severity)
    for (const origin of this.#origins) if (origin?.severity === severity) this.#leaveOut(origin)
    this.#waiting = this.#waiting.filter((_, index) => isKept[index])
    this.#origins = this.#origins.filter((_, index) => isKept[index])
    this.#waitingBytes = this.#waiting.reduce((sum, { length }) => sum + length, 0)
  }

  #leaveOut(origin: Origin): void {
    this.#dropped ??= createDropped()
    this.#dropped.note(origin)
    this.#shared.dropped(origin)
    // For the client to be told, also when nothing else comes.
    this.#shared.mark(this)
  }

  #empty(): void {
    this.#waiting = []
    this.#origins = []
    this.#waitingBytes = 0
  }

  #drop(): void {
    this.#empty()
    this.#shared.unmark(this)
  }
}

interface FlusherOptions {
  readonly schedule?: Schedule
  /** In ms from any point. */
  readonly now?: () => number
  /** Called for each frame that is left out. */
  readonly onDropped?: (origin: Origin) => void
  /** Called after each round of writes, with how long it took, in ms. */
  readonly onRound?: (ms: number) => void
}

/**
 * Makes the flusher of a gateway. What a message costs is the system call that writes it, not its framing; so the frames
 * that come for a socket within one turn of the event loop leave in one write, at the end of that turn. Where there are so
 * many sockets that one round of writes takes long, more frames join while the flusher rests after it: who is idle sends at
 * once, who is busy sends less often. A socket that is behind gets no further write until it has drained, so that what waits
 * for it can still be counted and dropped.
 */
export const createFlusher = ({
  schedule = soon,
  now = () => performance.now(),
  onDropped,
  onRound,
}: FlusherOptions = {}): Flusher => {
  const joiner = createJoiner()
  let gathered: (() => void)[] = []
  let dirty = new Set<SocketOutbox>()
  let isScheduled = false
  let restsUntil = 0

  const flushAll = () => {
    const started = now()
    const works = gathered
    gathered = []
    for (const work of works) work()
    const outboxes = dirty
    dirty = new Set()
    isScheduled = false
    for (const outbox of outboxes) outbox.flush()
    joiner.forget()
    const tookMs = now() - started
    restsUntil = started + tookMs + Math.min(tookMs * REST, MAX_REST_MS)
    onRound?.(tookMs)
  }
  const wake = () => {
    if (!isScheduled) schedule(flushAll, restsUntil - now())
    isScheduled = true
  }
  const shared: Shared = {
    join: joiner.join,
    mark: outbox => {
      dirty.add(outbox)
      wake()
    },
    unmark: outbox => dirty.delete(outbox),
    dropped: origin => onDropped?.(origin),
  }
  return {
    open: (sink, maxBytes) => new SocketOutbox(sink, maxBytes, shared),
    gather: work => {
      gathered.push(work)
      wake()
    },
  }
}
