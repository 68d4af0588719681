import kafkajs, { type PartitionAssigner } from 'kafkajs'

/** Partition numbers by topic. */
type Partitions = Readonly<Record<string, readonly number[]>>

/**
 * Shares partitions among members: the same number of every topic goes to the same member, shares differ by one at the
 * most, and the same members get the same whatever their order.
 */
export const sharePartitions = (
  members: readonly string[],
  partitions: Partitions,
): Map<string, Record<string, number[]>> => {
  const sorted = members.toSorted()
  const topics = Object.entries(partitions)
  return new Map(
    sorted.map((member, index) => [
      member,
      Object.fromEntries(
        topics.map(([topic, numbers]) => [
          topic,
          numbers.filter(number => number % sorted.length === index).toSorted((a, b) => a - b),
        ]),
      ),
    ]),
  )
}

/**
 * An assigner that gives one member the same partition numbers of every topic: of the input, and of the changelog that
 * holds the state for it.
 */
export const createCoPartitionAssigner =
  (topics: readonly string[]): PartitionAssigner =>
  ({ cluster }) => ({
    name: 'NetSentinelCoPartition',
    version: 0,
    protocol({ topics: subscribed }) {
      const { MemberMetadata } = kafkajs.AssignerProtocol
      const metadata = MemberMetadata.encode({
        version: this.version,
        topics: subscribed,
        userData: Buffer.alloc(0),
      })
      return { name: this.name, metadata }
    },
    assign({ members }) {
      const { MemberAssignment } = kafkajs.AssignerProtocol
      const partitions = Object.fromEntries(
        topics.map(topic => [topic, cluster.findTopicPartitionMetadata(topic).map(each => each.partitionId)]),
      )
      const shares = sharePartitions(
        members.map(member => member.memberId),
        partitions,
      )
      const assignments = [...shares].map(([memberId, assignment]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: this.version,
          assignment,
          userData: Buffer.alloc(0),
        }),
      }))
      return Promise.resolve(assignments)
    },
  })
