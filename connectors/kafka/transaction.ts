import type { CompressionTypes, Producer, Transaction } from 'kafkajs'
import type { Kafka } from './client.ts'
import { isFenced } from './errors.ts'
import type { TopicMessages } from './records.ts'

/** All that the transactions of one id may be in: partitions that they write to, and a group whose offsets they commit. */
export interface TransactionScope {
  /** Topics by full name; all partitions of one for which none is given. */
  readonly topics: readonly { readonly topic: string; readonly partition?: number }[]
  readonly group?: string
}

/** States of a transaction (KIP-664) in which it counts, or will; in the others but for {@link NOTHING} it does not. */
const COMMITTED: ReadonlySet<string> = new Set(['PrepareCommit', 'CompleteCommit'])
/** States in which there is nothing that could count. */
const NOTHING: ReadonlySet<string> = new Set(['Empty', 'Dead'])

/**
 * Gives the last transaction of an id its markers where they are missing, by a further one of the same id that holds
 * nothing and ends as that did; then closes the producer. A broker that starts again takes a transaction for ended
 * everywhere although partitions without a leader have no marker of it (KAFKA-20734): they keep its records back, and make
 * them a part of the next transaction, whose undoing undoes them, too.
 */
const settle = async (
  producer: Producer,
  isCommitted: boolean,
  { topics, group }: TransactionScope,
): Promise<void> => {
  try {
    await producer.connect()
    const settling = await producer.transaction()
    await settling.add({ topics, ...(group === undefined ? {} : { consumerGroupId: group }) })
    await (isCommitted ? settling.commit() : settling.abort())
  } catch (error) {
    // Another of the same id is being opened at this moment, and settles.
    if (!isFenced(error)) throw error
  } finally {
    await producer.disconnect()
  }
}

/**
 * Connects a transactional producer and initialises it (KIP-98), which ends whatever a predecessor of the same id had
 * open and fences it: when this resolves, what that predecessor committed is all that it will ever have committed, and
 * all of that can be read. The producer is done with once {@link Producer.lost} resolves: it refuses every further
 * transaction. Throws what kafkajs throws.
 */
export const openProducer = async (
  kafka: Kafka,
  transactionalId: string,
  scope: TransactionScope,
  transactionTimeout = kafka.config.transactionTimeoutMs,
): Promise<Producer> => {
  const create = () => kafka.producer({ transactionalId, transactionTimeout })
  const producer = create()
  try {
    await producer.connect()
    const state = await producer.lastTransaction()
    if (state !== null && !NOTHING.has(state)) await settle(create(), COMMITTED.has(state), scope)
    // The only way to make kafkajs initialise: the first transaction does, and an empty one sends nothing else.
    const empty = await producer.transaction()
    await empty.abort()
    return producer
  } catch (error) {
    await producer.disconnect()
    throw error
  }
}

/** A member of a group, as the group knows it in one of its generations. */
export interface Member {
  readonly memberId: string
  readonly generationId: number
}

/** Where a group reads on in a partition. */
export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly next: number
}

/** What one transaction holds. */
export interface TransactionContent {
  /** Sends in order; together they are one transaction. */
  readonly sends: readonly TopicMessages[][]
  readonly compression: CompressionTypes
  readonly group: string
  /** Who commits them: offsets of a member that the group has gone on without are refused (KIP-447). Anybody when not given. */
  readonly member?: Member
  readonly offsets: readonly PartitionOffset[]
}

/**
 * Runs one transaction to its commit. After **any** error the producer must be thrown away, not aborted and used again:
 * kafkajs rolls its sequence numbers back when a send fails, and a broker that did take that send would then drop the
 * next transaction's records as duplicates; and after a lost answer to the commit nobody knows its outcome. The next
 * producer of the same id ends the transaction one way or the other. Throws what kafkajs throws.
 */
export const runTransaction = async (producer: Producer, content: TransactionContent): Promise<void> => {
  const transaction = await producer.transaction()
  // Sends keep their order among themselves; the offsets go beside them, in the same packets.
  const done = await Promise.allSettled([sendAll(transaction, content), sendOffsets(transaction, content)])
  for (const each of done) if (each.status === 'rejected') throw each.reason
  await transaction.commit()
}

const sendAll = async (
  transaction: Transaction,
  { sends, compression }: TransactionContent,
): Promise<void> => {
  for (const topicMessages of sends) {
    await transaction.sendBatch({ topicMessages, acks: -1, compression })
  }
}

const sendOffsets = (
  transaction: Transaction,
  { group, member, offsets }: TransactionContent,
): Promise<void> =>
  transaction.sendOffsets({
    consumerGroupId: group,
    ...member,
    topics: [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, some]) => ({
      topic,
      partitions: some.map(({ partition, next }) => ({ partition, offset: String(next) })),
    })),
  })
