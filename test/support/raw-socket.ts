import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach } from '@jest/globals'

/** A frame of a client, each part of which can be wrong (RFC 6455, section 5.2). */
export interface RawFrame {
  /** The first byte: FIN, the reserved bits and the opcode. */
  readonly head: number
  readonly payload?: Buffer | string
  readonly isMasked?: boolean
  /** The length that it claims; that of the payload when not given. */
  readonly claims?: number | bigint
}

const MASKED = 0x80

/** The bytes of a frame. Its mask is zeros, which leaves the payload as it is. */
export const rawFrame = ({ head, payload = '', isMasked = true, claims }: RawFrame): Buffer => {
  const body = Buffer.from(payload)
  const length = claims ?? body.length
  const bit = isMasked ? MASKED : 0
  const lengthBytes = Buffer.alloc(length < 126 ? 1 : length < 65_536 ? 3 : 9)
  if (lengthBytes.length === 1) lengthBytes[0] = bit | Number(length)
  else if (lengthBytes.length === 3) {
    lengthBytes[0] = bit | 126
    lengthBytes.writeUInt16BE(Number(length), 1)
  } else {
    lengthBytes[0] = bit | 127
    lengthBytes.writeBigUInt64BE(BigInt(length), 1)
  }
  return Buffer.concat([Buffer.from([head]), lengthBytes, Buffer.alloc(isMasked ? 4 : 0), body])
}

/** Head of a text message in one frame. */
export const TEXT = 0x81

/** The lines of a handshake that is right, but for what `changes` replaces; undefined leaves a header out. */
export const handshake = (
  port: number,
  changes: Readonly<Record<string, string | undefined>> = {},
  line = 'GET /ws HTTP/1.1',
): string => {
  const headers: Record<string, string | undefined> = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [line, ...lines, '\r\n'].join('\r\n')
}

/** What came of a connection. */
export interface Answer {
  /** Status of the first answer; 0 when the connection ended without one. */
  readonly status: number
  /** The head of the first answer. */
  readonly head: string
  /** Payloads of the text frames that came, in order. */
  readonly texts: readonly string[]
  /** Code of the frame that closes; undefined when none came. */
  readonly code: number | undefined
  /** Whatever came after the frame that closes, or after an answer that was no upgrade. */
  readonly rest: Buffer
}

const headOf = (bytes: Buffer): { readonly head: string; readonly body: Buffer } => {
  const end = bytes.indexOf('\r\n\r\n')
  return end < 0
    ? { head: bytes.toString('latin1'), body: Buffer.alloc(0) }
    : { head: bytes.subarray(0, end).toString('latin1'), body: bytes.subarray(end + 4) }
}

/** Reads what a server sent: unmasked frames, whole or not. */
const parse = (bytes: Buffer): Answer => {
  const { head, body } = headOf(bytes)
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0)
  const answer = { status, head, texts: [] as string[], code: undefined as number | undefined }
  if (status !== 101) return { ...answer, rest: body }
  let at = 0
  while (answer.code === undefined && at + 2 <= body.length) {
    const short = (body[at + 1] ?? 0) & 0x7f
    const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2)
    if (start > body.length) break
    const length =
      short === 126 ? body.readUInt16BE(at + 2) : short === 127 ? Number(body.readBigUInt64BE(at + 2)) : short
    if (start + length > body.length) break
    const payload = body.subarray(start, start + length)
    const opcode = (body[at] ?? 0) & 0x0f
    if (opcode === 1) answer.texts.push(payload.toString('utf8'))
    if (opcode === 8) answer.code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
    at = start + length
  }
  return { ...answer, rest: body.subarray(at) }
}

const open = new Set<Socket>()
afterEach(() => {
  for (const socket of open) socket.destroy()
  open.clear()
})

/** A TCP connection on which a test says what it likes. */
export const openRaw = async (port: number) => {
  const socket = connect(port, '127.0.0.1')
  open.add(socket)
  let received = Buffer.alloc(0)
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
  })
  // A server that cuts the connection is an answer too.
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  return {
    write: (bytes: Buffer | string) => socket.write(bytes),
    answer: () => parse(received),
    isOpen: () => !socket.closed,
    /** Waits until the server has closed the connection, or would if this side did. */
    ended: async () => {
      await closed
      return parse(received)
    },
  }
}
