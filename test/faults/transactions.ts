import { ask } from '../../runtime/embedded/ready.ts'

/** ListTransactions (KIP-664), version 0, of every producer and in every state. */
const LIST_TRANSACTIONS = Buffer.from([0, 0, 0, 14, 0, 66, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 1, 0])

/** States in which the coordinator has nothing more to do. */
const ENDED = new Set(['Empty', 'CompleteCommit', 'CompleteAbort', 'Dead'])

const isWhole = (answer: Buffer) => answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)

/**
 * The transactional ids that begin with `prefix` and have a transaction that the broker at `address` has not ended, as
 * its coordinator knows them: kafkajs cannot ask for that.
 */
export const openTransactions = async (address: string, prefix: string): Promise<string[]> => {
  const answer = await ask(Number(address.split(':')[1]), LIST_TRANSACTIONS, isWhole)
  let at = 4 + 4
  /** A varint of unsigned numbers, 7 bits a byte, least significant first. */
  const size = (): number => {
    let [value, shift, byte] = [0, 0, 0x80]
    for (; byte >= 0x80; shift += 7) {
      byte = answer.readUInt8(at++)
      value |= (byte & 0x7f) << shift
    }
    return value
  }
  /** A compact string: its length and one more, then its bytes. */
  const text = (): string => {
    const length = size() - 1
    at += length
    return answer.toString('utf8', at - length, at)
  }
  const tags = () => {
    for (let left = size(); left > 0; left--) {
      size()
      at += size()
    }
  }
  tags()
  at += 4
  const error = answer.readInt16BE(at)
  at += 2
  if (error !== 0) throw new Error(`the broker answers ListTransactions with error ${error}`)
  for (let filters = size() - 1; filters > 0; filters--) text()
  const open: string[] = []
  for (let left = size() - 1; left > 0; left--) {
    const id = text()
    at += 8
    const state = text()
    tags()
    if (id.startsWith(prefix) && !ENDED.has(state)) open.push(id)
  }
  return open
}
