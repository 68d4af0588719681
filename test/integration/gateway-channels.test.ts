import { describe, expect, it } from '@jest/globals'
import { logIn, openForeignSocket, startTestGateway } from '../support/gateway.ts'
import { services, unique, until } from '../support/services.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'
import { makeAlert } from '../support/threats.ts'

const open = async (url: string, channel: string) => {
  const { accessToken } = await logIn(url)
  const socket = await openForeignSocket(url, { headers: { authorization: `Bearer ${accessToken}` } })
  socket.send({ type: 'subscribe', channel })
  await until(() => socket.messages.length > 0)
  return { ...socket, accessToken }
}

describe('the channel system', () => {
  it('tells how many are connected, over all gateways, when that changes', async () => {
    const shared = { dataDir: tempDir(), prefix: unique('presence') }
    const [one, two] = [await startTestGateway(shared), await startTestGateway(shared)]
    const first = await open(one.url, 'system')
    const second = await open(two.url, 'system')
    const told = (presence: object) =>
      first.messages.some(each => JSON.stringify(each) === JSON.stringify({ type: 'presence', ...presence }))
    await until(() => told({ gateways: 2, users: 1, sockets: 2 }))
    const headers = { authorization: `Bearer ${first.accessToken}` }
    const answer = await (await fetch(`${one.url}/presence`, { headers })).json()
    expect(answer).toEqual({ gateways: 2, users: 1, sockets: 2 })
    const late = await open(one.url, 'system')
    await until(() => late.messages.some(({ type }) => type === 'presence'))
    await late.close()
    await second.close()
    await two.gateway.close()
    await until(() => told({ gateways: 1, users: 1, sockets: 1 }))
  })

  it('tells that Redis is away, and back', async () => {
    const proxy = await startTcpProxy(services().redisUrl)
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('away'),
      redisUrl: proxy.url,
    })
    const socket = await open(url, 'system')
    const told = (state: string) =>
      socket.messages.some(
        each => each.type === 'part' && each['part'] === 'redis' && each['state'] === state,
      )
    await proxy.pause()
    await until(() => told('away'))
    await proxy.resume()
    await until(() => told('back'))
    await proxy.close()
  })
})

it('the channel models tells what holds, and what happens', async () => {
  const { url, news } = await startTestGateway({ dataDir: tempDir(), prefix: unique('models') })
  const champion = { version: 'a', sequence: 1, back: false, at: 1, reason: 'better' }
  news.pointers({ champion, challenger: undefined })
  const socket = await open(url, 'models')
  await until(() => socket.messages.length === 2)
  const promoted = {
    type: 'model',
    role: 'champion',
    event: 'promoted',
    version: 'a',
    at: 1,
    reason: 'better',
  }
  expect(socket.messages).toEqual([
    { type: 'subscribed', channel: 'models', epoch: '', positions: [] },
    promoted,
  ])
  news.pointers({ champion: { ...champion, version: 'b', sequence: 2 }, challenger: undefined })
  await until(() => socket.messages.length === 3)
  expect(socket.messages[2]).toEqual({ ...promoted, version: 'b' })
})

it('an alert is acknowledged over a socket, as over REST', async () => {
  const { url, relay, audited } = await startTestGateway({ dataDir: tempDir(), prefix: unique('ack') })
  const socket = await open(url, 'alerts')
  const value = Buffer.from(JSON.stringify(makeAlert({ id: 'a' })))
  await relay.onBatch([
    { topic: 'alerts', partition: 0, offset: 0, timestamp: 0, key: null, value, headers: {} },
  ])
  await until(() => socket.messages.some(({ type }) => type === 'alert'))
  socket.send({ type: 'acknowledge', alertId: 'a', revision: 1, id: '1' })
  await until(() => socket.messages.some(({ type }) => type === 'acknowledged'))
  expect(socket.messages.at(-1)).toEqual({ type: 'acknowledged', alertId: 'a', revision: 2, id: '1' })
  socket.send({ type: 'acknowledge', alertId: 'a', revision: 1, id: '2' })
  await until(() => socket.messages.at(-1)?.['id'] === '2')
  expect(socket.messages.at(-1)).toMatchObject({ type: 'error', code: 'stale' })
  const headers = { authorization: `Bearer ${socket.accessToken}` }
  const shown = await (await fetch(`${url}/alerts/a`, { headers })).json()
  expect(shown).toMatchObject({ triage: [{ kind: 'acknowledge', by: 'admin' }] })
  await until(() => audited.some(({ event }) => event === 'alert.acknowledge'))
})
