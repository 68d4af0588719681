import kafkajs, { type ICustomPartitioner } from 'kafkajs'

const SEED = 0x9747b28c
const MIX = 0x5bd1e995

/** MurmurHash2, 32 bits, as Kafka's Java client has it (`Utils.murmur2`), of the first bytes; a signed whole number. */
export const murmur2 = (bytes: Buffer, length = bytes.length): number => {
  const whole = length & ~3
  let hash = SEED ^ length
  for (let at = 0; at < whole; at += 4) {
    const word = Math.imul(bytes.readInt32LE(at), MIX)
    hash = Math.imul(hash, MIX) ^ Math.imul(word ^ (word >>> 24), MIX)
  }
  if (whole < length) {
    for (let at = length - 1; at >= whole; at--) hash ^= bytes.readUInt8(at) << ((at - whole) * 8)
    hash = Math.imul(hash, MIX)
  }
  hash = Math.imul(hash ^ (hash >>> 13), MIX)
  return hash ^ (hash >>> 15)
}

/** Bytes of a text, most of which are written where the one before was; UTF-8 takes at most three for a UTF-16 unit. */
const scratch = Buffer.alloc(768)
const hashOf = (key: Buffer | string): number => {
  if (typeof key !== 'string') return murmur2(key)
  return key.length * 3 > scratch.length ? murmur2(Buffer.from(key)) : murmur2(scratch, scratch.write(key))
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
    return (hashOf(key) & 0x7fffffff) % choice.partitionMetadata.length
  }
}
