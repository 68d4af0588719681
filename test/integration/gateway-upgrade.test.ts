import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { createLog } from '../../runtime/log.ts'
import {
  logIn,
  openForeignSocket,
  post,
  startTestGateway,
  threatRecord,
  tryUpgrade,
} from '../support/gateway.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const start = (options: Partial<Parameters<typeof startTestGateway>[0]> = {}) =>
  startTestGateway({ dataDir: tempDir(), prefix: unique('upgrade'), ...options })

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (segment = '') =>
  JSON.parse(Buffer.from(segment, 'base64url').toString()) as Record<string, unknown>

describe('a foreign client', () => {
  it('is refused before the upgrade without a good token', async () => {
    const { url } = await start()
    const { accessToken, refreshToken } = await logIn(url)
    const [head, body, tail] = accessToken.split('.')
    const { privateKey } = generateKeyPairSync('ed25519')
    const input = `${head}.${body}`
    const claims = decode(body)
    const attempts: Record<string, Record<string, string>> = {
      'no token': {},
      'an empty token': { authorization: 'Bearer ' },
      'a forged signature': bearer(
        `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`,
      ),
      'a forged payload': bearer(`${head}.${encode({ ...claims, sub: 'other' })}.${tail}`),
      'alg none': bearer(`${encode({ ...decode(head), alg: 'none' })}.${body}.`),
      'alg none, signed': bearer(`${encode({ ...decode(head), alg: 'none' })}.${body}.${tail}`),
      'alg HS256': bearer(
        `${encode({ ...decode(head), alg: 'HS256' })}.${body}.${createHmac('sha256', '').update(input).digest('base64url')}`,
      ),
      'a refresh token': bearer(refreshToken),
      'a token in a cookie': { cookie: `accessToken=${accessToken}` },
      'a token as a subprotocol': { 'sec-websocket-protocol': `netsentinel.v1, ${accessToken}` },
    }
    for (const [name, headers] of Object.entries(attempts)) {
      const { status, headers: answered, body: text } = await tryUpgrade(url, headers)
      expect([name, status]).toEqual([name, 401])
      expect(answered).toMatchObject({ 'content-type': expect.stringContaining('problem+json') })
      expect(JSON.parse(text)).toMatchObject({ status: 401 })
    }
    expect((await tryUpgrade(url, bearer(accessToken))).status).toBe(101)
  })

  it('is refused with an expired token, and with one of a session that was ended', async () => {
    let ahead = 0
    const { url } = await start({ now: () => Date.now() + ahead })
    const ended = await logIn(url)
    expect((await tryUpgrade(url, bearer(ended.accessToken))).status).toBe(101)
    await post(url, '/auth/logout', {}, bearer(ended.accessToken))
    expect((await tryUpgrade(url, bearer(ended.accessToken))).status).toBe(401)
    const { accessToken } = await logIn(url)
    expect((await tryUpgrade(url, bearer(accessToken))).status).toBe(101)
    ahead = 901_000
    expect((await tryUpgrade(url, bearer(accessToken))).status).toBe(401)
  })

  it('is refused with a token of another installation', async () => {
    const [mine, other] = [await start(), await start()]
    const { accessToken } = await logIn(other.url)
    expect((await tryUpgrade(mine.url, bearer(accessToken))).status).toBe(401)
  })

  it('is refused with a token in the address, and no token is ever logged', async () => {
    const lines: string[] = []
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(chunk.toString())
        done()
      },
    })
    const { url } = await start({ log: createLog({ level: 'trace' }, 'test', destination) })
    const { accessToken, refreshToken } = await logIn(url)
    const { ticket } = (await (
      await post(url, '/auth/ticket', {}, { ...bearer(accessToken), origin: url })
    ).json()) as { ticket: string }
    for (const query of [`?token=${accessToken}`, `?access_token=${accessToken}`, `?ticket=${ticket}`]) {
      expect((await tryUpgrade(url, bearer(accessToken), `/ws${query}`)).status).toBe(400)
      expect((await fetch(`${url}/auth/me${query}`)).status).toBe(401)
    }
    await post(url, '/auth/refresh', { refreshToken })
    await post(url, '/auth/login', { username: 'admin\n{"level":"fatal"}', password: accessToken })
    expect(lines.length).toBeGreaterThan(5)
    for (const secret of [accessToken, refreshToken, ticket, 'correct horse']) {
      expect(lines.join('')).not.toContain(secret)
    }
    for (const line of lines.join('').trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('is refused from a page of another origin', async () => {
    const { url } = await start()
    const { accessToken } = await logIn(url)
    const ask = async (origin: string) => (await tryUpgrade(url, { ...bearer(accessToken), origin })).status
    expect(await ask(url)).toBe(101)
    expect(await ask('http://evil.example')).toBe(403)
    expect(await ask('null')).toBe(403)
  })

  it('receives threats, in order, with a bearer token', async () => {
    const { url, relay } = await start()
    const { accessToken } = await logIn(url)
    const client = await openForeignSocket(url, { headers: bearer(accessToken) })
    client.send({ type: 'subscribe', channel: 'threats' })
    await until(() => client.messages.length === 1)
    expect(client.messages[0]).toMatchObject({ type: 'subscribed', channel: 'threats' })
    await relay.onBatch([4, 5, 9].map(offset => threatRecord(offset)))
    await until(() => client.messages.length === 4)
    expect(client.messages.slice(1)).toMatchObject([
      { type: 'threat', position: { partition: 0, offset: 4, previous: null }, data: { id: 'threat-4' } },
      { type: 'threat', position: { partition: 0, offset: 5, previous: 4 }, data: { id: 'threat-5' } },
      { type: 'threat', position: { partition: 0, offset: 9, previous: 5 }, data: { id: 'threat-9' } },
    ])
  })

  it('receives threats with a ticket, got from another gateway, once', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('ticket') }
    const [issuer, redeemer] = [await start(shared), await start(shared)]
    const { accessToken } = await logIn(issuer.url)
    const origin = redeemer.url
    const { ticket } = (await (
      await post(issuer.url, '/auth/ticket', {}, { ...bearer(accessToken), origin })
    ).json()) as { ticket: string }
    const options = { protocols: ['netsentinel.v1', `ticket.${ticket}`], headers: { origin } }
    const client = await openForeignSocket(redeemer.url, options)
    expect(client.socket.protocol).toBe('netsentinel.v1')
    client.send({ type: 'subscribe', channel: 'threats' })
    await until(() => client.messages.length === 1)
    await issuer.relay.onBatch([threatRecord(1)])
    await until(() => client.messages.length === 2)
    await expect(openForeignSocket(redeemer.url, options)).rejects.toThrow('not opened')
    await expect(openForeignSocket(issuer.url, options)).rejects.toThrow('not opened')
  })

  it('is closed when its token has expired', async () => {
    let ahead = 0
    const { url } = await start({ now: () => Date.now() + ahead })
    const { accessToken } = await logIn(url)
    const client = await openForeignSocket(url, { headers: bearer(accessToken) })
    ahead = 900_000 + 6_000
    expect(await client.closed).toBe(4010)
  })

  it.each([
    ['a message of over 64 KiB', (client: WebSocket) => client.send('x'.repeat(65_537)), 1009],
    [
      'messages that are not in the protocol',
      (client: WebSocket) => {
        for (let i = 0; i < 6; i += 1) client.send('{')
      },
      4500,
    ],
    [
      'too many messages',
      (client: WebSocket) => {
        for (let i = 0; i < 50; i += 1) client.send('{"type":"ping"}')
      },
      4501,
    ],
  ])('is closed for %s', async (_name, misbehave, code) => {
    const { url } = await start()
    const { accessToken } = await logIn(url)
    const client = await openForeignSocket(url, { headers: bearer(accessToken) })
    misbehave(client.socket)
    expect(await client.closed).toBe(code)
  })

  it('is told to come back when the gateway shuts down', async () => {
    const { url, gateway } = await start()
    const { accessToken } = await logIn(url)
    const client = await openForeignSocket(url, { headers: bearer(accessToken) })
    await gateway.close()
    expect(await client.closed).toBe(4001)
  })
})

describe('a handshake', () => {
  it.each([
    ['half sent', 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websoc'],
    ['not begun', ''],
    [
      'with a body that does not come',
      'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('that is %s is cut within 10 s', async (_name, text) => {
    const { gateway } = await start()
    const socket = connect(gateway.port, '127.0.0.1')
    await once(socket, 'connect')
    const started = Date.now()
    socket.write(text)
    socket.resume()
    await once(socket, 'close')
    expect(Date.now() - started).toBeLessThan(10_000)
  })

  it.each([
    ['that speaks another version', { 'sec-websocket-version': '12' }],
    ['without a key', { 'sec-websocket-key': '' }],
    ['for another protocol', { upgrade: 'h2c' }],
  ])('%s is refused even with a good token', async (_name, headers) => {
    const { url } = await start()
    const { accessToken } = await logIn(url)
    expect((await tryUpgrade(url, { ...bearer(accessToken), ...headers })).status).toBe(400)
  })

  it('beyond the most sockets is refused with 503, and the next one is not when one has gone', async () => {
    const { url } = await start({ env: { GATEWAY_MAX_SOCKETS: '1' } })
    const { accessToken } = await logIn(url)
    const client = await openForeignSocket(url, { headers: bearer(accessToken) })
    expect((await tryUpgrade(url, bearer(accessToken))).status).toBe(503)
    await client.close()
    await until(async () => (await tryUpgrade(url, bearer(accessToken))).status === 101)
  })
})
