import { deflateRawSync } from 'node:zlib'
import { afterEach, describe, expect, it } from '@jest/globals'
import { startEcho } from '../../test/support/echo.ts'
import { handshake, openRaw, rawFrame } from '../../test/support/raw-socket.ts'
import { until } from '../../test/support/until.ts'

/** Head of a compressed text message in one frame. */
const COMPRESSED_TEXT = 0xc1

const servers: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()))
})

const start = async (deflate: boolean) => {
  const echo = await startEcho({ deflate })
  servers.push(echo)
  return echo
}

/** Sends a text as a browser does, and gives what comes back, and what was agreed on. */
const exchange = async (url: string, text: string) => {
  const socket = new WebSocket(url)
  const answers: unknown[] = []
  socket.addEventListener('message', ({ data }) => answers.push(data))
  socket.addEventListener('open', () => socket.send(text))
  await until(() => answers.length === 1)
  const { extensions } = socket
  socket.close()
  return { answer: answers[0], extensions }
}

describe('permessage-deflate', () => {
  const text = 'a threat like the one before. '.repeat(100)

  it('is agreed on with a client that offers it, which reads what was sent', async () => {
    const { url } = await start(true)
    const { answer, extensions } = await exchange(url, text)
    expect(extensions).toContain('permessage-deflate')
    expect(extensions).toContain('server_no_context_takeover')
    expect(answer).toBe(text)
  })

  it('is off unless it is asked for', async () => {
    const { url } = await start(false)
    expect(await exchange(url, text)).toEqual({ answer: text, extensions: '' })
  })

  it('does not let a small message become a large one', async () => {
    const { url } = await start(true)
    const port = Number(new URL(url).port)
    const raw = await openRaw(port)
    raw.write(handshake(port, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }, 'GET / HTTP/1.1'))
    await until(() => raw.answer().status === 101)
    raw.write(rawFrame({ head: COMPRESSED_TEXT, payload: deflateRawSync(Buffer.alloc(10_000_000)) }))
    expect(await raw.ended()).toMatchObject({ texts: [], code: 1009 })
  })
})
