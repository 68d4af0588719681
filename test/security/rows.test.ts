import { describe, expect, it } from '@jest/globals'
import type { FilterExpression } from '../../schemas/filter.ts'
import { makeEvent } from '../support/events.ts'
import { logIn, openForeignSocket, startTestGateway, threatRecord } from '../support/gateway.ts'
import { unique, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const SENSORS = ['one', 'two']

/** Threats of two tenants, one after the other, by their sensor. */
const recordOf = (offset: number) =>
  threatRecord(offset, { event: makeEvent({ sensor: SENSORS[offset % 2] ?? null }) })

/** Two gateways of one store, and a key for a program whose rows can be set. */
const start = async () => {
  const shared = { dataDir: tempDir(), prefix: unique('rows') }
  const [one, two] = [await startTestGateway(shared), await startTestGateway(shared)]
  const admin = bearer((await logIn(one.url)).accessToken)
  const ask = async (path: string, method: string, body?: object) => {
    const headers = { ...admin, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const init = body === undefined ? {} : { body: JSON.stringify(body) }
    return fetch(one.url + path, { method, headers, ...init })
  }
  const makeKey = async (rows: FilterExpression) => {
    const made = await ask('/keys', 'POST', { name: 'k', scopes: ['threats:read'], days: 1 })
    const { key, secret } = (await made.json()) as { key: { id: string }; secret: string }
    const setRows = (filter: FilterExpression) => ask(`/keys/${key.id}/rows`, 'PUT', filter)
    expect((await setRows(rows)).status).toBe(200)
    return { id: key.id, headers: bearer(secret), setRows }
  }
  const open = async (url: string, headers: Record<string, string>, filter?: FilterExpression) => {
    const socket = await openForeignSocket(url, { headers })
    socket.send({ type: 'subscribe', channel: 'threats', ...(filter === undefined ? {} : { filter }) })
    await until(() => socket.messages.length === 1)
    const offsets = () =>
      socket.messages.slice(1).map(({ position }) => (position as { readonly offset: number }).offset)
    return { ...socket, offsets }
  }
  return { one, two, ask, makeKey, open, admin }
}

/** Filters that might talk a server into more than its own lets pass. */
const BYPASSES: readonly (FilterExpression | undefined)[] = [
  undefined,
  { sensor: SENSORS },
  { or: [{ sensor: ['two'] }, { sensor: ['one'] }, { not: { sensor: ['one'] } }] },
  { or: [{ score: 0 }, { not: { score: 0 } }] },
  { not: { and: [{ sensor: ['one'] }, { sensor: ['two'] }] } },
  { not: { sensor: ['nowhere"],"or":[{"score":0}'] } },
]

describe('rows', () => {
  it('47: of one tenant are never seen by the other, whatever is asked for', async () => {
    const { one, two, makeKey, open, admin } = await start()
    const clients = []
    for (const [index, sensor] of SENSORS.entries()) {
      const { headers } = await makeKey({ sensor: [sensor] })
      for (const filter of BYPASSES) {
        clients.push({ index, filter, socket: await open(one.url, headers, filter) })
        clients.push({ index, filter, socket: await open(two.url, headers, filter) })
      }
    }
    const everything = await open(two.url, admin)
    await one.relay.onBatch(Array.from({ length: 50 }, (_, i) => recordOf(i)))
    await until(() => everything.offsets().length === 50)
    for (const { index, socket } of clients) {
      socket.send({ type: 'ping' })
      await until(() => socket.messages.at(-1)?.type === 'pong')
      socket.messages.pop()
      const own = Array.from({ length: 25 }, (_, i) => 2 * i + index)
      expect(socket.offsets()).toEqual(own)
    }
  })

  it('47: hold for what is kept as well: nobody resumes, lists or looks up what is not theirs', async () => {
    const { one, two, makeKey, admin, open } = await start()
    const everything = await open(one.url, admin)
    await one.relay.onBatch(Array.from({ length: 20 }, (_, i) => recordOf(i)))
    await until(() => everything.offsets().length === 20)
    const resume = { positions: [{ partition: 0, offset: 0 }] }
    for (const [index, sensor] of SENSORS.entries()) {
      const { headers } = await makeKey({ sensor: [sensor] })
      const own = Array.from({ length: 20 }, (_, i) => i).filter(i => i % 2 === index)
      for (const { url } of [one, two]) {
        const socket = await openForeignSocket(url, { headers })
        socket.send({ type: 'subscribe', channel: 'alerts', resume })
        socket.send({ type: 'subscribe', channel: 'threats', filter: { score: 0 }, resume })
        await until(() =>
          socket.messages.some(({ data }) => (data as { id?: string })?.id === `threat-${own.at(-1)}`),
        )
        const [refused, subscribed, ...missed] = socket.messages
        expect(refused).toMatchObject({ type: 'error', code: 'forbidden' })
        expect(subscribed).toMatchObject({ type: 'subscribed', recovered: true })
        expect(missed.map(({ data }) => (data as { id: string }).id)).toEqual(
          own.filter(i => i > 0).map(i => `threat-${i}`),
        )
        const listed = await (await fetch(`${url}/threats`, { headers })).json()
        const ids = (listed as { threats: { id: string }[] }).threats.map(({ id }) => id)
        expect(ids.toSorted()).toEqual(own.map(i => `threat-${i}`).toSorted())
        for (let i = 0; i < 20; i += 1) {
          const { status } = await fetch(`${url}/threats/threat-${i}`, { headers })
          expect([i, status]).toEqual([i, i % 2 === index ? 200 : 404])
        }
      }
    }
  })

  it('48: are asked beside the filter of a client, and at once when they change, on every gateway', async () => {
    const { one, two, makeKey, open } = await start()
    const { headers, setRows } = await makeKey({ sensor: ['one'] })
    const sockets = [
      await open(one.url, headers, { score: 0.5 }),
      await open(two.url, headers, { score: 0.95 }),
    ]
    await one.relay.onBatch([recordOf(0), recordOf(1)])
    await until(() => sockets[0]?.offsets().length === 1)
    expect((await setRows({ sensor: ['two'] })).status).toBe(200)
    let next = 2
    for (const { url } of [one, two]) {
      const probe = await open(url, headers)
      // A gateway has followed the change when a socket that was open before it gets what it lets pass.
      await until(async () => {
        await one.relay.onBatch([recordOf(next), recordOf(next + 1)])
        next += 2
        await until(() => probe.offsets().includes(next - 1))
        return sockets[0]?.offsets().includes(next - 1) === true
      })
    }
    const [first, second] = sockets
    const seen = (first?.offsets() ?? []).map(offset => offset % 2)
    expect(seen[0]).toBe(0)
    expect(new Set(seen.slice(seen.indexOf(1)))).toEqual(new Set([1]))
    expect(second?.offsets()).toEqual([])
  })

  it('47: are set by administrators alone, for somebody whom there is, and without mistakes', async () => {
    const { one, ask, makeKey } = await start()
    const { id, headers, setRows } = await makeKey({ sensor: ['one'] })
    const own = await fetch(`${one.url}/keys/${id}/rows`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ score: 0 }),
    })
    expect(own.status).toBe(403)
    const wrong = await setRows({ category: ['scan'] })
    expect(wrong.status).toBe(422)
    expect(await wrong.json()).toMatchObject({ detail: expect.stringContaining('"category"') })
    expect(await (await ask(`/keys/${id}/rows`, 'GET')).json()).toEqual({ filter: { sensor: ['one'] } })
    expect(await (await fetch(`${one.url}/auth/me`, { headers })).json()).toMatchObject({
      rows: { sensor: ['one'] },
    })
    expect((await ask('/users/nobody/rows', 'PUT', { score: 0.5 })).status).toBe(404)
    expect((await ask('/keys/nothing/rows', 'GET')).status).toBe(404)
    expect((await ask(`/keys/${id}/rows`, 'DELETE')).status).toBe(204)
    expect(await (await ask(`/keys/${id}/rows`, 'GET')).json()).toEqual({ filter: null })
  })
})
