const TEXT = 0x81
const UINT16 = 126
const UINT64 = 127

/** Bytes before the payload of a frame of such a length that a server sends (RFC 6455, section 5.2). */
const headerBytesOf = (length: number): number => (length < UINT16 ? 2 : length < 65_536 ? 4 : 10)

/** A frame without its payload yet: one unfragmented, unmasked message with this first byte. */
const blankFrame = (first: number, length: number): { readonly frame: Buffer; readonly at: number } => {
  const at = headerBytesOf(length)
  const frame = Buffer.allocUnsafeSlow(at + length)
  frame[0] = first
  if (at === 2) frame[1] = length
  else if (at === 4) {
    frame[1] = UINT16
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = UINT64
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  return { frame, at }
}

/**
 * One unfragmented, unmasked, uncompressed text message as a server sends it (RFC 6455, section 5.2). It can be written
 * to any number of sockets.
 */
export const textFrame = (text: string): Buffer => {
  const { frame, at } = blankFrame(TEXT, Buffer.byteLength(text))
  frame.write(text, at)
  return frame
}

/** What a frame carries, when it is one that {@link textFrame} made. */
export const payloadOf = (frame: Buffer): Buffer => {
  const short = frame[1] ?? 0
  return frame.subarray(short < UINT16 ? 2 : short === UINT16 ? 4 : 10)
}

/** A frame of the same kind with another payload; `reserved` are the bits that an extension has set in its first byte. */
export const frameLike = (frame: Buffer, payload: Buffer, reserved: number): Buffer => {
  const { frame: made, at } = blankFrame((frame[0] ?? 0) | reserved, payload.length)
  payload.copy(made, at)
  return made
}
