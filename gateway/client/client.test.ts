import { afterEach, describe, expect, it } from '@jest/globals'
import { alertAt, threatAt } from '../../test/support/threats.ts'
import { until } from '../../test/support/until.ts'
import { type Client, type ClientState, followGateway } from './client.ts'
import type { ConnectionEvents, Ended } from './transport.ts'

const open: Client[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(client => client.close()))
})

/** One connection to a gateway that is the test. */
const createFakeConnection = (token: string, events: ConnectionEvents, confirmsItself: boolean) => {
  const sent: Record<string, unknown>[] = []
  const say = (message: object) => events.message(JSON.stringify(message))
  const confirm = (channel: string, offset = 0, more: object = {}) =>
    say({ type: 'subscribed', channel, epoch: 'e', positions: [{ partition: 0, offset }], ...more })
  return {
    token,
    sent,
    say,
    confirm,
    end: (how: Partial<Ended> = {}) => events.ended({ code: 1006, reason: 'lost', ...how }),
    connection: {
      send: (text: string) => {
        const message = JSON.parse(text) as Record<string, unknown>
        sent.push(message)
        if (confirmsItself && message['type'] === 'subscribe') confirm(String(message['channel']))
      },
      close: () => events.ended({ code: 1000, reason: 'closed' }),
    },
  }
}

const follow = async (more: { readonly silenceMs?: number } = {}) => {
  const connections: ReturnType<typeof createFakeConnection>[] = []
  const offsets: number[] = []
  const lost: string[] = []
  const states: ClientState[] = []
  const notices: unknown[] = []
  let token = 1
  let isAway = false
  const following = followGateway({
    channels: ['threats', { channel: 'alerts', filter: { severity: 'high' } }],
    onDelivery: ({ position }) => offsets.push(position.offset),
    onLost: (channel, reason) => lost.push(`${channel}: ${reason}`),
    onState: state => states.push(state),
    onNotice: notice => notices.push(notice),
    retryMs: 1,
    login: {
      accessToken: async () => `token ${token}`,
      freshForMs: () => 60_000,
      expire: () => {
        token += 1
      },
    },
    transport: {
      connect: async (accessToken, events) => {
        const fake = createFakeConnection(accessToken, events, more.silenceMs !== undefined)
        connections.push(fake)
        if (isAway) fake.end({ status: 503 })
        else events.opened()
        return fake.connection
      },
    },
    ...more,
  })
  // Looked at by the tests that expect it to fail.
  following.catch(() => undefined)
  await until(() => (connections[0]?.sent.length ?? 0) >= 2)
  const nth = (index: number) => {
    const found = connections[index]
    if (found === undefined) throw new Error(`there is no connection ${index}`)
    return found
  }
  return {
    following,
    connections,
    offsets,
    lost,
    states,
    notices,
    nth,
    setAway: (away: boolean) => {
      isAway = away
    },
    connected: async () => {
      nth(0).confirm('threats')
      nth(0).confirm('alerts')
      const client = await following
      open.push(client)
      return client
    },
    /** The connection after so many, when it has asked for both channels. */
    next: async (index: number) => {
      await until(() => connections[index]?.sent.length === 2)
      return nth(index)
    },
  }
}

describe('the client', () => {
  it('subscribes, and hands over what comes', async () => {
    const { connected, nth, offsets, states, notices } = await follow()
    expect(nth(0).sent).toEqual([
      { type: 'subscribe', channel: 'threats', id: 'threats' },
      { type: 'subscribe', channel: 'alerts', id: 'alerts', filter: { severity: 'high' } },
    ])
    await connected()
    nth(0).say(threatAt(1))
    nth(0).say(alertAt(1))
    nth(0).say({ type: 'a newer message' })
    const part = { type: 'part', part: 'redis', state: 'away' }
    nth(0).say(part)
    expect(notices).toEqual([part])
    expect(offsets).toEqual([1, 1])
    expect(states).toEqual(['connected'])
  })

  it('comes back and goes on where it was', async () => {
    const { connected, nth, next, offsets, states } = await follow()
    await connected()
    nth(0).say(threatAt(1))
    nth(0).end({ code: 4001 })
    const second = await next(1)
    expect(second.sent[0]).toMatchObject({
      channel: 'threats',
      resume: { epoch: 'e', positions: [{ partition: 0, offset: 1 }] },
    })
    second.confirm('threats', 1, { recovered: true })
    second.confirm('alerts', 0, { recovered: true })
    for (const offset of [2, 3]) second.say(threatAt(offset))
    expect(offsets).toEqual([1, 2, 3])
    await until(() => states.length === 3)
    expect(states).toEqual(['connected', 'reconnecting', 'connected'])
  })

  it('asks again for what was left out, once until it is answered', async () => {
    const { connected, nth, offsets } = await follow()
    await connected()
    const { say, sent, confirm } = nth(0)
    for (const each of [threatAt(1), { ...threatAt(4), position: { partition: 0, offset: 4, previous: 3 } }])
      say(each)
    for (let i = 0; i < 2; i += 1) {
      say({ type: 'dropped', channel: 'threats', count: 2, positions: [{ partition: 0, offset: 1 }] })
    }
    expect(sent.slice(2)).toMatchObject([{ channel: 'threats', resume: { positions: [{ offset: 1 }] } }])
    confirm('threats', 1, { recovered: true })
    for (const offset of [2, 3, 4, 5]) say(threatAt(offset))
    expect(offsets).toEqual([1, 4, 2, 3, 5])
  })

  it('waits for as long as a gateway that goes away says', async () => {
    const { connected, nth, connections, states } = await follow()
    const client = await connected()
    nth(0).say({ type: 'going-away', reconnectAfterMs: 3_600_000 })
    nth(0).end({ code: 4001 })
    await until(() => states.at(-1) === 'reconnecting')
    await client.close()
    expect(connections).toHaveLength(1)
  })

  it('says what is lost for good', async () => {
    const { connected, nth, next, lost } = await follow()
    await connected()
    nth(0).end()
    const second = await next(1)
    second.confirm('threats', 9, { recovered: false, reason: 'too-old' })
    second.say({ type: 'unsubscribed', channel: 'alerts' })
    expect(lost).toEqual(['threats: too-old', 'alerts: the user may not read it any more'])
  })

  it.each([{ code: 4010 }, { status: 401 }])('shows a new token after %j', async how => {
    const { connected, nth, next } = await follow()
    await connected()
    nth(0).end(how)
    expect((await next(1)).token).toBe('token 2')
  })

  it.each([{ code: 1006 }, { code: 4001 }, { code: 4008 }, { status: 503 }, { status: 429 }])(
    'comes back after %j',
    async how => {
      const { connected, nth, next } = await follow()
      await connected()
      nth(0).end(how)
      expect((await next(1)).token).toBe('token 1')
    },
  )

  it.each([{ code: 4500 }, { code: 4502 }, { status: 403 }])('gives up after %j', async how => {
    const { connected, nth } = await follow()
    const { failed } = await connected()
    nth(0).end(how)
    await expect(failed).rejects.toMatchObject({ code: 'NS_LOGIN_REFUSED' })
  })

  it('keeps trying while the gateway is away', async () => {
    const { connected, nth, setAway, connections } = await follow()
    await connected()
    setAway(true)
    nth(0).end()
    await until(() => connections.length > 3)
    setAway(false)
    await until(() => connections.at(-1)?.sent.length === 2)
  })

  it('is told what it may not subscribe to', async () => {
    const { following, nth } = await follow()
    nth(0).say({ type: 'error', code: 'forbidden', message: 'your role may not read threats', id: 'threats' })
    await expect(following).rejects.toMatchObject({
      code: 'NS_LOGIN_REFUSED',
      message: expect.stringContaining('your role may not read threats'),
    })
  })

  it('gives up a connection on which nothing comes, not even an answer', async () => {
    const { following, nth, connections } = await follow({ silenceMs: 20 })
    open.push(await following)
    await until(() => connections.length > 1)
    expect(nth(0).sent.at(-1)).toEqual({ type: 'ping' })
  })

  it('does nothing more when it is closed', async () => {
    const { connected, nth, offsets, connections } = await follow()
    const client = await connected()
    await client.close()
    nth(0).say(threatAt(1))
    expect(offsets).toEqual([])
    expect(connections).toHaveLength(1)
  })
})
