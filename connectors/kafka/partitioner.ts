import kafkajs, { type ICustomPartitioner } from 'kafkajs'

const SEED = 0x9747b28c
const MIX = 0x5bd1e995

/** MurmurHash2, 32 bits, as Kafka's Java client has it (`Utils.murmur2`); a signed whole number. */
export const murmur2 = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const whole = bytes.length & ~3
  let hash = SEED ^ bytes.length
  for (let at = 0; at < whole; at += 4) {
    const word = Math.imul(view.getInt32(at, true), MIX)
    hash = Math.imul(hash, MIX) ^ Math.imul(word ^ (word >>> 24), MIX)
  }
  if (whole < bytes.length) {
    for (let at = bytes.length - 1; at >= whole; at--) hash ^= view.getUint8(at) << ((at - whole) * 8)
    hash = Math.imul(hash, MIX)
  }
  hash = Math.imul(hash ^ (hash >>> 13), MIX)
  return hash ^ (hash >>> 15)
}

/**
 * Kafka's own way to choose a partition: the one that is given, else by the key's hash, else in turn. kafkajs chooses the
 * same ones, but hashes in arbitrary precision and lists the partitions anew for every record, given or not.
 */
export const createPartitioner: ICustomPartitioner = () => {
  const inTurn = kafkajs.Partitioners.DefaultPartitioner()
  return choice => {
    const { partition, key } = choice.message
    if (partition !== undefined) return partition
    if (key === null || key === undefined) return inTurn(choice)
    const bytes = typeof key === 'string' ? Buffer.from(key) : key
    return (murmur2(bytes) & 0x7fffffff) % choice.partitionMetadata.length
  }
}
