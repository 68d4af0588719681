import { setTimeout as sleep } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Kafka } from './client.ts'
import { compressionType } from './codecs.ts'
import { isFenced } from './errors.ts'
import { planSends } from './records.ts'
import type { OutputRecord, Stage } from './stage.ts'
import { type Member, openProducer, type PartitionOffset, runTransaction } from './transaction.ts'

/** What a batch adds to a transaction. */
export interface Contribution {
  readonly records: readonly OutputRecord[]
  readonly offsets: readonly PartitionOffset[]
}

/** A batch that is under way: the next transaction waits for it, if not for long. */
export interface Turn {
  /**
   * Resolves when a transaction with what the batch comes to is committed. Rejects with what it failed with; whether it
   * is committed then is for the offsets to tell.
   */
  commit(contribution: Contribution): Promise<void>
  /** The batch has failed before there was anything to commit. Does nothing after `commit`. */
  drop(): void
}

/** The right of a member to write, from when its predecessors are fenced to its first failure or next assignment. */
export interface Session {
  begin(): Turn
  /** Resolves, with the reason where it failed, when nothing more can be committed in it. */
  readonly ended: Promise<unknown>
}

/** What a member has been assigned by its group. */
export interface Assignment {
  readonly member: Member
  /** Numbers of the input's partitions. */
  readonly partitions: readonly number[]
}

/** The transactions of one member of a group. Its partitions share them: what is ready at the same time is one. */
export interface Transactions {
  /** Called on each assignment: what was begun before can no longer be committed once a session is open. */
  assign(assignment: Assignment): void
  /** The session of the assignment. Throws what kafkajs throws while none can be opened. */
  session(): Promise<Session>
  /** Nothing more is written. */
  end(): void
  /** Ends, and resolves when nothing is in flight and the connections are closed. */
  close(): Promise<void>
}

/** How long a transaction waits for batches that are under way, in ms; most take less. */
const LINGER_MS = 20

const over = () => new SentinelError('NS_TRANSACTION_FAILED', 'the partition has been assigned anew')

interface Waiting extends PromiseWithResolvers<void> {
  readonly contribution: Contribution
}

interface OpenSession extends Session {
  end(reason?: unknown): void
  /** Resolves when nothing is in flight. */
  settled(): Promise<void>
}

interface TransactionsDeps {
  readonly kafka: Kafka
  readonly stage: Stage
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Makes the transactions of a member. Each partition number has a transactional id of its own; a member initialises those of
 * all partitions that it is assigned, which ends what predecessors had open in them, whoever they were, and writes with the
 * lowest. That a predecessor commits nothing of a partition that has moved is seen to by the group: offsets are taken from
 * members of the present generation only, and told when no transaction is about to change them (KIP-447).
 */
export const createTransactions = (deps: TransactionsDeps): Transactions => {
  const { kafka, stage, log } = deps
  const scope = {
    topics: [
      ...stage.outputs.map(({ topic }) => ({ topic })),
      ...(stage.changelog === undefined ? [] : [{ topic: stage.changelog }]),
    ],
    group: stage.group,
  }
  let assigned: Assignment | undefined
  /** Whether the predecessors in all of the assigned partitions are fenced. */
  let fenced = false
  let session: Promise<OpenSession> | undefined
  const closings = new Set<Promise<void>>()

  const discard = (producer: Producer, after: Promise<unknown> = Promise.resolve()) => {
    const closing = after
      .then(() => producer.disconnect())
      .catch((error: unknown) => log.debug({ err: error }, 'a producer did not close cleanly'))
      .then(() => {
        closings.delete(closing)
      })
    closings.add(closing)
  }

  const openOne = (partition: number) =>
    openProducer(kafka, `${stage.group}-${stage.input}-${partition}`, scope)

  /** Initialises the ids of partitions, and gives the producer of the first. */
  const openAll = async (partitions: readonly number[]): Promise<Producer> => {
    const opened = await Promise.allSettled(partitions.map(openOne))
    const failed = opened.find(each => each.status === 'rejected')
    const producers = opened.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
    const kept = failed === undefined ? producers.shift() : undefined
    for (const producer of producers) discard(producer)
    if (kept === undefined) throw failed?.reason ?? over()
    return kept
  }

  const open = async (assignment: Assignment): Promise<OpenSession> => {
    const ids = assignment.partitions.toSorted((a, b) => a - b)
    const producer = await openAll(fenced ? ids.slice(0, 1) : ids)
    const opened = createSession(deps, producer, assignment.member)
    discard(
      producer,
      opened.ended.then(() => opened.settled()),
    )
    if (assigned !== assignment) {
      opened.end()
      throw over()
    }
    fenced = true
    return opened
  }

  const replace = (assignment?: Assignment) => {
    // One that cannot be opened has nothing to end.
    session?.then(each => each.end()).catch(() => undefined)
    session = undefined
    assigned = assignment
    fenced = false
  }

  return {
    assign: replace,
    session: () => {
      if (assigned === undefined) return Promise.reject(over())
      if (session !== undefined) return session
      const mine = open(assigned)
      session = mine
      const forget = () => {
        if (session === mine) session = undefined
      }
      mine.then(each => each.ended).then(forget, forget)
      return mine
    },
    end: () => replace(),
    close: async () => {
      const last = session
      replace()
      await Promise.allSettled([last])
      await Promise.all(closings)
    },
  }
}

/** Makes a session that writes with a producer for a member. */
const createSession = (
  { kafka, stage, metrics }: TransactionsDeps,
  producer: Producer,
  member: Member,
): OpenSession => {
  const ended = Promise.withResolvers<unknown>()
  const { maxMessageBytes, compression } = kafka.config
  let finished: { readonly reason: unknown } | undefined
  let waiting: Waiting[] = []
  let underWay = 0
  let allReady = Promise.withResolvers<void>()
  let tail: Promise<void> | undefined

  const end = (reason?: unknown) => {
    if (finished !== undefined) return
    finished = { reason }
    for (const each of waiting.splice(0)) each.reject(reason ?? over())
    ended.resolve(reason)
  }

  const count = (outcome: 'committed' | 'fenced' | 'failed') =>
    metrics.transactions.inc({ stage: stage.name, outcome })

  const commit = async (some: readonly Waiting[]) => {
    try {
      await runTransaction(producer, {
        sends: planSends(
          some.flatMap(({ contribution }) => contribution.records),
          maxMessageBytes,
        ),
        compression: compressionType(compression),
        group: stage.group,
        member,
        offsets: some.flatMap(({ contribution }) => contribution.offsets),
      })
      count('committed')
      for (const each of some) each.resolve()
    } catch (error) {
      count(isFenced(error) ? 'fenced' : 'failed')
      for (const each of some) each.reject(error)
      end(error)
    }
  }

  const commitWaiting = async () => {
    while (waiting.length > 0) {
      if (underWay > 0) await Promise.race([allReady.promise, sleep(LINGER_MS)])
      const some = waiting
      waiting = []
      if (some.length > 0) await commit(some)
    }
    tail = undefined
  }

  const leave = () => {
    if (--underWay > 0) return
    allReady.resolve()
    allReady = Promise.withResolvers()
  }

  producer.lost().then(() => end(), end)

  return {
    ended: ended.promise,
    end,
    settled: async () => tail,
    begin: () => {
      underWay++
      let left = false
      const leaveOnce = () => {
        if (!left) leave()
        left = true
      }
      return {
        drop: () => {
          if (!left) count('failed')
          leaveOnce()
        },
        commit: contribution => {
          const mine = { contribution, ...Promise.withResolvers<void>() }
          if (finished === undefined) waiting.push(mine)
          else mine.reject(finished.reason ?? over())
          leaveOnce()
          if (waiting.length > 0) tail ??= commitWaiting()
          return mine.promise
        },
      }
    },
  }
}
