import { constants, deflateRawSync } from 'node:zlib'
import { frameLike, payloadOf } from './frame.ts'

/** Payloads below this are sent as they are, in bytes: there is little to gain. */
const THRESHOLD = 256

/** The first reserved bit: the message is compressed (RFC 7692, section 6). */
const COMPRESSED = 0x40

/** What deflate ends a flush with, and a message leaves out (RFC 7692, section 7.2.1). */
const TAIL_BYTES = 4

/**
 * What clients that offer permessage-deflate get. No message refers to one before it, so that all sockets can be given the
 * same bytes and none keeps a window of its own. The window is deflate's largest: a client that demands a smaller one is
 * refused; browsers do not.
 */
export const DEFLATE = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
} as const

/**
 * Makes a compressor of frames for sockets with permessage-deflate (RFC 7692). It compresses a frame once, whoever gets it, and
 * leaves it as it is where that makes it no smaller.
 */
export const createDeflater = (): ((frame: Buffer) => Buffer) => {
  const made = new WeakMap<Buffer, Buffer>()
  const compress = (frame: Buffer): Buffer => {
    const payload = payloadOf(frame)
    if (payload.length < THRESHOLD) return frame
    const deflated = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH })
    const compressed = deflated.subarray(0, -TAIL_BYTES)
    return compressed.length < payload.length ? frameLike(frame, compressed, COMPRESSED) : frame
  }
  return frame => {
    const known = made.get(frame) ?? compress(frame)
    made.set(frame, known)
    return known
  }
}
