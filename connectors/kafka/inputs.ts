import { SentinelError } from '../../runtime/errors.ts'
import { type Positions, startOffset } from './positions.ts'
import type { Stage } from './stage.ts'

/** Every topic that a stage processes, the main input first. */
export const inputsOf = ({ input, sideInputs = [] }: Stage): readonly string[] => [input, ...sideInputs]

/** Where the group goes on in one input of a partition. */
interface Start {
  readonly topic: string
  readonly offset: number
  /** Whether the group has committed an offset there. */
  readonly committed: boolean
  /** End of the log at this moment. */
  readonly end: number
}

/** An offset of the next record to read. */
export interface InputOffset {
  readonly topic: string
  readonly next: number
}

interface Progress {
  /** Offset of the next record, up to which the task holds the effects of every record; the committed one when known. */
  position: number
  /** Offset up to which everything from `position` on is known to hold nothing to read. */
  skipped: number
  /** End of the log when the partition was taken. */
  end: number
  committed: boolean
}

/** How far one partition has got in each of the topics that its stage reads. */
export interface Inputs {
  /** Asks the broker where the group goes on. Throws NS_OFFSET_LOST when that is outside of the log. */
  find(signal: AbortSignal): Promise<readonly Start[]>
  /** Whether the task stands where the group goes on, in every input. */
  standAt(starts: readonly Start[]): boolean
  /** The task stands at `starts` now. */
  set(starts: readonly Start[]): void
  /** Offset up to which the task holds every effect. */
  position(topic: string): number
  /** Whether a batch that was fetched at `offset` is the next one. */
  expects(topic: string, offset: number): boolean
  /** Whether something committed is still to be said: offsets before `next` held nothing to read. */
  behind(topic: string, next: number): boolean
  /** Nothing before `next` is to be read. False when that is known already. */
  skip(topic: string, next: number): boolean
  /** Everything before `next` is committed. */
  advance(topic: string, next: number): void
  /** Whether each side input has been read up to the end that it had when the partition was taken. */
  caughtUp(): boolean
  /**
   * The offsets that go into the transaction of a batch: its own and, as long as the main input has none, the one where
   * that begins. A changelog without an offset of the main input is then proof that offsets were lost.
   */
  toCommit(topic: string, next: number): readonly InputOffset[]
}

/** Makes the record of how far one partition has got; nothing is known until `set`. */
export const createInputs = (deps: {
  readonly stage: Stage
  readonly partition: number
  readonly positions: Positions
}): Inputs => {
  const { stage, partition, positions } = deps
  const { group, input: main } = stage
  const inputs = new Map<string, Progress>()

  const of = (topic: string): Progress => {
    const progress = inputs.get(topic)
    if (progress === undefined) throw new SentinelError('NS_INTERNAL', `${stage.name} does not read ${topic}`)
    return progress
  }
  const findOne = async (topic: string, signal: AbortSignal): Promise<Start> => {
    const committed = await positions.committed(group, topic, partition, signal)
    const range = await positions.range(topic, partition)
    return {
      topic,
      offset: startOffset(committed, range, { group, topic, partition }),
      committed: committed !== undefined,
      end: range.high,
    }
  }

  return {
    find: async signal => {
      const starts: Start[] = []
      for (const topic of inputsOf(stage)) starts.push(await findOne(topic, signal))
      return starts
    },
    standAt: starts => starts.every(({ topic, offset }) => inputs.get(topic)?.position === offset),
    set: starts => {
      for (const { topic, offset, committed, end } of starts)
        inputs.set(topic, { position: offset, skipped: offset, end, committed })
    },
    position: topic => of(topic).position,
    expects: (topic, offset) => offset === of(topic).position || offset === of(topic).skipped,
    behind: (topic, next) => next > of(topic).position,
    skip: (topic, next) => {
      const progress = of(topic)
      if (next <= progress.skipped) return false
      progress.skipped = next
      return true
    },
    advance: (topic, next) => {
      const progress = of(topic)
      progress.position = next
      progress.skipped = Math.max(progress.skipped, next)
      progress.committed = true
      of(main).committed = true
    },
    caughtUp: () => [...inputs].every(([topic, { skipped, end }]) => topic === main || skipped >= end),
    toCommit: (topic, next) => {
      const own = { topic, next }
      const { committed, position } = of(main)
      return topic === main || committed ? [own] : [own, { topic: main, next: position }]
    },
  }
}
