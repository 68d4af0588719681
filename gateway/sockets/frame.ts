const TEXT = 0x81
const UINT16 = 126
const UINT64 = 127

/**
 * One unfragmented, unmasked, uncompressed text message as a server sends it (RFC 6455, section 5.2). It can be written
 * to any number of sockets.
 */
export const textFrame = (text: string): Buffer => {
  const length = Buffer.byteLength(text)
  const headerBytes = length < UINT16 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafeSlow(headerBytes + length)
  frame[0] = TEXT
  if (headerBytes === 2) frame[1] = length
  else if (headerBytes === 4) {
    frame[1] = UINT16
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = UINT64
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, headerBytes)
  return frame
}
