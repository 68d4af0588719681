/** Frames and lines shorter than this are not messages but what the protocol says beside them, in bytes. */
const LEAST_MESSAGE = 400

const NEWLINE = 10
const CLOSE = 8
const PING = 9

/** What a reader finds in the bytes of a WebSocket. */
export interface Findings {
  /** A message; its beginning where the reader was asked to look at it. */
  message(head: string): void
  /** A short text: an answer, or a sign of life that asks for one. */
  short(text: string): void
  ping(): void
  closed(): void
}

/**
 * Reads what a server sends (RFC 6455, unmasked, uncompressed) as cheaply as can be: it jumps from header to header, and
 * copies only short texts and the beginnings that are asked for. A frame may hold several messages, one a line, as
 * centrifuge sends them. `looked` is how many bytes of a message are looked at.
 */
export const createReader = (findings: Findings, looked: number) => {
  let header: Buffer = Buffer.alloc(0)
  let opcode = 0
  /** Bytes of the frame that have not come yet. */
  let missing = 0
  let lineBytes = 0
  let head = ''

  const take = (bytes: Buffer) => {
    const wanted = Math.max(looked, LEAST_MESSAGE - lineBytes)
    if (head.length < wanted)
      head += bytes.toString('latin1', 0, Math.min(bytes.length, wanted - head.length))
    lineBytes += bytes.length
  }
  const endLine = () => {
    if (lineBytes >= LEAST_MESSAGE) findings.message(head)
    else if (opcode === PING) findings.ping()
    else if (opcode === CLOSE) findings.closed()
    else if (lineBytes > 0) findings.short(head)
    lineBytes = 0
    head = ''
  }
  const takeFrame = (bytes: Buffer) => {
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      take(bytes.subarray(from, end))
      endLine()
      from = end + 1
    }
    take(bytes.subarray(from))
  }

  return (chunk: Buffer): void => {
    let bytes = header.length === 0 ? chunk : Buffer.concat([header, chunk])
    header = Buffer.alloc(0)
    while (bytes.length > 0) {
      if (missing === 0) {
        const size = bytes[1] ?? 0
        const headerBytes = size < 126 ? 2 : size === 126 ? 4 : 10
        if (bytes.length < headerBytes) {
          header = bytes
          return
        }
        opcode = (bytes[0] ?? 0) & 15
        missing = size < 126 ? size : size === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
        bytes = bytes.subarray(headerBytes)
      }
      const part = bytes.subarray(0, missing)
      takeFrame(part)
      missing -= part.length
      bytes = bytes.subarray(part.length)
      if (missing === 0) endLine()
    }
  }
}

/** A short frame as a client sends it: masked with zeros, which leaves the payload as it is. */
export const clientFrame = (text: string, firstByte = 0x81): Buffer => {
  const payload = Buffer.from(text)
  const { length } = payload
  const head = length < 126 ? [firstByte, 0x80 | length] : [firstByte, 0xfe, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}
