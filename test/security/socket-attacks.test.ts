import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { logIn, openForeignSocket, startTestGateway } from '../support/gateway.ts'
import { handshake, openRaw, type RawFrame, rawFrame, TEXT } from '../support/raw-socket.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const PING = JSON.stringify({ type: 'ping', id: 'x' })
const SUBSCRIBE = JSON.stringify({ type: 'subscribe', channel: 'threats' })

let made: Awaited<ReturnType<typeof startTestGateway>>
let bearer = ''
const port = () => made.gateway.port
beforeAll(async () => {
  const env = { GATEWAY_MESSAGES_PER_SECOND: '100000' }
  made = await startTestGateway({ dataDir: tempDir(), prefix: unique('raw'), env, isKept: true })
  bearer = `Bearer ${(await logIn(made.url)).accessToken}`
})

describe('a handshake', () => {
  const shake = async (text: string) => {
    const raw = await openRaw(port())
    raw.write(text)
    return raw.ended()
  }
  const withHeaders = (changes: Record<string, string | undefined>, line?: string) =>
    handshake(port(), { Authorization: bearer, ...changes }, line)

  it('is answered with an upgrade when it is right', async () => {
    const raw = await openRaw(port())
    raw.write(withHeaders({}))
    await until(() => raw.answer().status === 101)
    expect(raw.answer().head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  it.each<[string, () => string, number]>([
    ['without a version', () => withHeaders({ 'Sec-WebSocket-Version': undefined }), 400],
    ['of version 8', () => withHeaders({ 'Sec-WebSocket-Version': '8' }), 400],
    ['of version 12', () => withHeaders({ 'Sec-WebSocket-Version': '12' }), 400],
    ['of version 14', () => withHeaders({ 'Sec-WebSocket-Version': '14' }), 400],
    ['of version 13, 8', () => withHeaders({ 'Sec-WebSocket-Version': '13, 8' }), 400],
    ['without a key', () => withHeaders({ 'Sec-WebSocket-Key': undefined }), 400],
    ['with a short key', () => withHeaders({ 'Sec-WebSocket-Key': 'AAAA' }), 400],
    ['with two keys', () => withHeaders({ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }), 400],
    ['for another protocol', () => withHeaders({ Upgrade: 'h2c' }), 400],
    ['that is not to be upgraded', () => withHeaders({ Connection: 'close' }), 426],
    ['by POST', () => withHeaders({ 'Content-Length': '0' }, 'POST /ws HTTP/1.1'), 405],
    ['by TRACE', () => withHeaders({}, 'TRACE /ws HTTP/1.1'), 405],
    ['by CONNECT', () => withHeaders({}, 'CONNECT /ws HTTP/1.1'), 0],
    ['in HTTP/1.0', () => withHeaders({}, 'GET /ws HTTP/1.0'), 400],
    ['of another path', () => withHeaders({}, 'GET /ws/ HTTP/1.1'), 404],
    ['of a path in another case', () => withHeaders({}, 'GET /WS HTTP/1.1'), 404],
    ['of a path with a dot', () => withHeaders({}, 'GET /./ws HTTP/1.1'), 404],
    ['of a path with an escape', () => withHeaders({}, 'GET /w%73 HTTP/1.1'), 404],
    ['of a path with a fragment', () => withHeaders({}, 'GET /ws#x HTTP/1.1'), 404],
    ['of a path with a parameter', () => withHeaders({}, 'GET /ws;x HTTP/1.1'), 404],
    ['of a whole address', () => withHeaders({}, `GET http://127.0.0.1:${port()}/ws HTTP/1.1`), 404],
    ['with an empty query', () => withHeaders({}, 'GET /ws? HTTP/1.1'), 400],
    ['with two hosts', () => withHeaders({ host: 'evil.example' }), 400],
    ['with no host', () => withHeaders({ Host: undefined }), 400],
    ['with two origins', () => withHeaders({ Origin: made.url, origin: 'https://evil.example' }), 400],
    ['with two credentials', () => withHeaders({ authorization: 'Bearer x' }), 400],
    ['with a header on two lines', () => withHeaders({ 'X-A': 'a\r\n b' }), 400],
    ['with an end of line inside', () => withHeaders({ 'X-A': 'a\nX-B: b' }), 400],
    ['with a space before a colon', () => withHeaders({ 'X-A ': 'a' }), 400],
    ['with two lengths', () => withHeaders({ 'Content-Length': '0', 'content-length': '5' }), 400],
    [
      'with a length and chunks',
      () => withHeaders({ 'Content-Length': '5', 'Transfer-Encoding': 'chunked' }),
      400,
    ],
    ['with 20 KB of headers', () => withHeaders({ 'X-A': 'a'.repeat(20_000) }), 431],
    ['with 20 KB of subprotocols', () => withHeaders({ 'Sec-WebSocket-Protocol': 'a'.repeat(20_000) }), 431],
    ['with a subprotocol that is none', () => withHeaders({ 'Sec-WebSocket-Protocol': 'a b' }), 400],
    ['with a subprotocol twice', () => withHeaders({ 'Sec-WebSocket-Protocol': 'a, a' }), 400],
    ['of nobody', () => withHeaders({ Authorization: undefined }), 401],
  ])('44: %s is refused', async (_name, text, status) => {
    expect((await shake(text())).status).toBe(status)
  })

  it.each([
    ['whose version is wrong', { 'Sec-WebSocket-Version': '7' }],
    ['whose key is wrong', { 'Sec-WebSocket-Key': 'x' }],
    ['of nobody', { Authorization: undefined }],
    ['of another origin', { Origin: 'https://evil.example' }],
  ])('44: %s ends the connection: no request can be smuggled behind it', async (_name, changes) => {
    const smuggled = `GET /auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer}\r\n\r\n`
    const { status, rest } = await shake(withHeaders(changes) + smuggled)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(rest.toString()).not.toContain('HTTP/1.1')
  })

  it('44: of nobody has none of the messages read that came with it', async () => {
    const raw = await openRaw(port())
    const text = handshake(port(), { Authorization: 'Bearer x' })
    raw.write(Buffer.concat([Buffer.from(text), rawFrame({ head: TEXT, payload: PING })]))
    expect(await raw.ended()).toMatchObject({ status: 401, texts: [] })
  })

  it('49: is offered no compression, whatever it asks for', async () => {
    const raw = await openRaw(port())
    raw.write(
      withHeaders({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-webkit' }),
    )
    await until(() => raw.answer().status === 101)
    expect(raw.answer().head.toLowerCase()).not.toContain('extensions')
  })

  it('50: that comes byte by byte is cut after a while', async () => {
    const raw = await openRaw(port())
    const text = withHeaders({ 'X-A': 'a'.repeat(4_000) })
    const began = performance.now()
    for (const character of text) {
      if (!raw.isOpen()) break
      raw.write(character)
      await sleep(20)
    }
    expect(await raw.ended()).toMatchObject({ code: undefined, texts: [] })
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

const control = (opcode: number) => 0x80 | opcode
const many = (frame: RawFrame, count: number): RawFrame[] => Array.from({ length: count }, () => frame)
const text = (payload: Buffer | string): RawFrame => ({ head: TEXT, payload })
const close = (code: number, reason: Buffer | string = ''): RawFrame => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(code)
  return { head: control(8), payload: Buffer.concat([bytes, Buffer.from(reason)]) }
}
const BAD_UTF8 = Buffer.from([0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80])

/** What a client must not send: the frames, and the code that it is closed with. */
const FRAMES: Readonly<Record<string, readonly [readonly RawFrame[], number]>> = {
  'a frame without a mask': [[{ ...text(PING), isMasked: false }], 1002],
  'a frame that says it is compressed': [[{ head: TEXT | 0x40, payload: PING }], 1002],
  'a frame with the second reserved bit': [[{ head: TEXT | 0x20, payload: PING }], 1002],
  'a frame with the third reserved bit': [[{ head: TEXT | 0x10, payload: PING }], 1002],
  ...Object.fromEntries(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(opcode => [
      `a frame of opcode ${opcode}`,
      [[{ head: control(opcode) }], 1002] as const,
    ]),
  ),
  'a ping in fragments': [[{ head: 0x09, payload: 'a' }], 1002],
  'a close in fragments': [[{ head: 0x08 }], 1002],
  'a ping of 126 bytes': [[{ head: control(9), payload: 'a'.repeat(126) }], 1002],
  'a continuation of nothing': [[{ head: 0x80, payload: 'a' }], 1002],
  'a message within another one': [[{ head: 0x01, payload: 'a' }, text(PING)], 1002],
  'a close with half a code': [[{ head: control(8), payload: 'a' }], 1002],
  'a close with the code 999': [[close(999)], 1002],
  'a close with the code 1005': [[close(1005)], 1002],
  'a close with the code 1006': [[close(1006)], 1002],
  'a close with the code 5000': [[close(5_000)], 1002],
  'a close with a reason that is not UTF-8': [[close(1000, BAD_UTF8)], 1007],
  'text that is not UTF-8': [[text(BAD_UTF8)], 1007],
  'text that is not UTF-8, in fragments': [
    [
      { head: 0x01, payload: BAD_UTF8.subarray(0, 4) },
      { head: 0x80, payload: BAD_UTF8.subarray(4) },
    ],
    1007,
  ],
  'an overlong spelling of a slash': [[text(Buffer.from([0xc0, 0xaf]))], 1007],
  'text that ends amid a character': [[text(Buffer.from([0xf0, 0x9f, 0x94]))], 1007],
  'a frame of one byte too many': [[text('a'.repeat(65_537))], 1009],
  'fragments of one byte too many': [
    [
      { head: 0x01, payload: 'a'.repeat(65_000) },
      { head: 0x80, payload: 'a'.repeat(537) },
    ],
    1009,
  ],
  'a frame that claims 2 GiB': [[{ head: TEXT, claims: 2 ** 31 }], 1009],
  'a frame that claims 2^53 bytes': [[{ head: TEXT, claims: 2n ** 53n }], 1009],
  'a frame that claims 2^63 bytes': [[{ head: TEXT, claims: 2n ** 63n }], 1009],
  'thousands of empty fragments': [[{ head: 0x01 }, ...many({ head: 0x00 }, 4_000)], 1008],
  'thousands of fragments of a byte': [
    [{ head: 0x01, payload: 'a' }, ...many({ head: 0x00, payload: 'a' }, 4_000)],
    1008,
  ],
  'messages that are not text': [many({ head: 0x82, payload: 'a' }, 6), 4500],
  'messages that are not JSON': [many(text('{'), 6), 4500],
  'messages that are nested': [many(text('['.repeat(30_000)), 6), 4500],
}

describe('a socket', () => {
  const openSocket = async () => {
    const raw = await openRaw(port())
    raw.write(handshake(port(), { Authorization: bearer }))
    await until(() => raw.answer().status === 101)
    return raw
  }

  it.each(Object.entries(FRAMES))('49: that sends %s is closed', async (_name, [frames, code]) => {
    const healthy = await openForeignSocket(made.url, { headers: { authorization: bearer } })
    const raw = await openSocket()
    raw.write(Buffer.concat(frames.map(rawFrame)))
    await until(() => raw.answer().code !== undefined)
    expect(raw.answer().code).toBe(code)
    healthy.send({ type: 'ping' })
    await until(() => healthy.messages.at(-1)?.type === 'pong')
  })

  it('49: that sends one message in a thousand pieces of TCP is closed, when it never ends', async () => {
    const raw = await openSocket()
    raw.write(rawFrame({ head: TEXT, claims: 60_000 }))
    for (let i = 0; raw.isOpen() && raw.answer().code === undefined; i += 1) {
      expect(i).toBeLessThan(20_000)
      raw.write('a')
      await new Promise(setImmediate)
    }
    expect([1008, 1009, undefined]).toContain(raw.answer().code)
    expect(raw.answer().texts).toEqual([])
  })

  it('49: may put a ping between fragments, and spread characters over them', async () => {
    const raw = await openSocket()
    const bytes = Buffer.from(JSON.stringify({ type: 'ping', id: 'ü€😀' }))
    const pieces = [...bytes].map(byte => Buffer.from([byte]))
    const frames = pieces.flatMap((payload, i) => [
      rawFrame({ head: i === 0 ? 0x01 : i === pieces.length - 1 ? 0x80 : 0x00, payload }),
      ...(i === 3 ? [rawFrame({ head: control(9), payload: 'y' })] : []),
    ])
    raw.write(Buffer.concat(frames))
    await until(() => raw.answer().texts.length === 1)
    expect(JSON.parse(raw.answer().texts[0] ?? '')).toEqual({ type: 'pong', id: 'ü€😀' })
  })

  it('49: is answered before the frame that closes it, and gets nothing behind it', async () => {
    const raw = await openSocket()
    raw.write(Buffer.concat([text(SUBSCRIBE), text(PING), close(1000), text(PING)].map(rawFrame)))
    const { texts, code, rest } = await raw.ended()
    expect(texts.map(each => JSON.parse(each).type)).toEqual(['subscribed', 'pong'])
    expect([code, rest.length]).toEqual([1000, 0])
  })

  it('49: gets nothing behind the frame that closes it for breaking the protocol', async () => {
    const raw = await openSocket()
    raw.write(Buffer.concat([text(PING), { head: control(3) }, text(PING)].map(rawFrame)))
    const { texts, code, rest } = await raw.ended()
    expect([texts.length, code, rest.length]).toEqual([1, 1002, 0])
  })
})
