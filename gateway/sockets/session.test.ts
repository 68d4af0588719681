import { describe, expect, it } from '@jest/globals'
import type { Threat } from '../../schemas/generated.ts'
import { CLOSE, type ServerMessage } from '../../schemas/wire.ts'
import { makeEvent } from '../../test/support/events.ts'
import { carry, createTestSession, EXPIRES_IN_MS, PLACE, PRESENCE } from '../../test/support/session.ts'
import { makeThreat, threatAt } from '../../test/support/threats.ts'
import type { Principal } from '../auth/provider.ts'
import { feedMessage } from './line.ts'

describe('a session', () => {
  it('confirms a subscription, and then gets what the channel carries', () => {
    const { hub, ask, sent } = createTestSession()
    expect(ask({ type: 'subscribe', channel: 'threats' })).toEqual([
      { type: 'subscribed', channel: 'threats', ...PLACE },
    ])
    expect(hub.deliver('threats', carry('a threat'))).toBe(1)
    expect(hub.deliver('alerts', carry('an alert'))).toBe(0)
    expect(sent.at(-1)).toBe('a threat')
  })

  it('is told what holds in a channel that has no history, and takes no filter', () => {
    const { ask, hub } = createTestSession()
    expect(ask({ type: 'subscribe', channel: 'system' })).toEqual([
      { type: 'subscribed', channel: 'system', epoch: '', positions: [] },
      PRESENCE,
    ])
    expect(hub.countOf('system')).toBe(1)
    expect(ask({ type: 'subscribe', channel: 'models', filter: { score: 0 } })).toMatchObject([
      { type: 'error', code: 'bad-filter' },
    ])
    expect(hub.countOf('models')).toBe(0)
  })

  it('is told that something went wrong with what it asked for, and nothing of what', async () => {
    const { ask, sent, failures } = createTestSession({ role: 'analyst' })
    ask({ type: 'acknowledge', alertId: 'a', id: '9' })
    await new Promise(setImmediate)
    expect(sent.map(text => JSON.parse(text) as ServerMessage)).toEqual([
      { type: 'error', code: 'failed', message: expect.not.stringContaining('inner'), id: '9' },
    ])
    expect(failures).toHaveLength(1)
  })

  it('answers with the id of the question', () => {
    const { ask } = createTestSession()
    expect(ask({ type: 'ping', id: '1' })).toEqual([{ type: 'pong', id: '1' }])
    expect(ask({ type: 'subscribe', channel: 'alerts', id: '2' })).toMatchObject([
      { type: 'subscribed', id: '2' },
    ])
    expect(ask({ type: 'unsubscribe', channel: 'alerts', id: '3' })).toMatchObject([
      { type: 'unsubscribed', id: '3' },
    ])
  })

  it('gets a channel once however often it subscribes, and no more when it unsubscribes', () => {
    const { hub, ask } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats' })
    ask({ type: 'subscribe', channel: 'threats' })
    expect(hub.countOf('threats')).toBe(1)
    ask({ type: 'unsubscribe', channel: 'threats' })
    expect(hub.countOf('threats')).toBe(0)
  })

  describe('with a filter', () => {
    const threat = (severity: Threat['severity'], sensor: string) =>
      carry(`${severity} ${sensor}`, makeThreat({ severity, event: makeEvent({ sensor }) }))
    const all = [threat('low', 'a'), threat('high', 'a'), threat('low', 'b'), threat('high', 'b')]
    const deliver = ({ hub, sent }: Pick<ReturnType<typeof createTestSession>, 'hub' | 'sent'>) => {
      sent.length = 0
      for (const each of all) hub.deliver('threats', each)
      return sent
    }

    it('gets what passes it, until it asks for something else', () => {
      const made = createTestSession()
      const subscribe = { type: 'subscribe', channel: 'threats' }
      expect(made.ask({ ...subscribe, filter: { severity: 'high' } })).toMatchObject([{ type: 'subscribed' }])
      expect(deliver(made)).toEqual(['high a', 'high b'])
      made.ask({ ...subscribe, filter: { sensor: ['b'] } })
      expect(deliver(made)).toEqual(['low b', 'high b'])
      made.ask(subscribe)
      expect(deliver(made)).toHaveLength(4)
    })

    it('sees nothing beside its rows, whatever it asks for, and follows their change at once', () => {
      const made = createTestSession({ rows: { sensor: ['a'] } })
      made.ask({ type: 'subscribe', channel: 'threats' })
      expect(deliver(made)).toEqual(['low a', 'high a'])
      made.ask({
        type: 'subscribe',
        channel: 'threats',
        filter: { or: [{ sensor: ['b'] }, { severity: 'high' }] },
      })
      expect(deliver(made)).toEqual(['high a'])
      made.session.become({ ...made.principal, rows: { sensor: ['b'] } })
      expect(deliver(made)).toEqual(['low b', 'high b'])
      made.session.become({ ...made.principal, rows: null })
      expect(deliver(made)).toEqual(['high a', 'low b', 'high b'])
    })

    it('is told what is wrong with one, is not subscribed, and not held to make mistakes', () => {
      const { ask, closes, hub } = createTestSession()
      for (let i = 0; i < 6; i += 1) {
        expect(ask({ type: 'subscribe', channel: 'threats', filter: { colour: 'red' }, id: '7' })).toEqual([
          { type: 'error', code: 'bad-filter', message: expect.stringContaining('"colour"'), id: '7' },
        ])
      }
      expect(closes).toEqual([])
      expect(hub.countOf('threats')).toBe(0)
    })
  })

  it('gets what it missed before what is live, when it says where it was', () => {
    const { hub, ask, sent, returning } = createTestSession()
    const resume = { epoch: 'e', positions: [{ partition: 0, offset: 5 }] }
    expect(ask({ type: 'subscribe', channel: 'threats', resume, id: '1' })).toEqual([])
    expect(returning).toMatchObject([{ channel: 'threats', resume }])
    const client = returning[0]?.client
    expect(hub.countOf('threats')).toBe(0)
    client?.begin({ epoch: 'e', positions: resume.positions })
    client?.send(feedMessage(threatAt(6)))
    client?.begin(PLACE, 'too-old')
    expect(sent.map(text => JSON.parse(text) as ServerMessage)).toMatchObject([
      { type: 'subscribed', channel: 'threats', recovered: true, ...resume, id: '1' },
      { type: 'threat', position: { offset: 6 } },
      { type: 'subscribed', channel: 'threats', recovered: false, reason: 'too-old', ...PLACE, id: '1' },
    ])
    client?.goLive()
    expect(hub.countOf('threats')).toBe(1)
  })

  it('gets nothing of what it missed that it did not ask for, or may not see any more', () => {
    const { session, principal, ask, sent, returning } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats', resume: { positions: [] }, filter: { severity: 'high' } })
    const client = returning[0]?.client
    client?.send(feedMessage(threatAt(0)))
    client?.send(feedMessage(threatAt(1, { severity: 'low' })))
    session.become({ ...principal, rows: { sensor: ['another'] } })
    client?.send(feedMessage(threatAt(2)))
    expect(sent.map(text => JSON.parse(text) as ServerMessage)).toMatchObject([{ position: { offset: 0 } }])
  })

  it('does not wait for what it missed any more when it changes its mind, or may not read it', () => {
    const { session, principal, ask, sent, returning } = createTestSession()
    const resume = { positions: [] }
    const isWaiting = () => returning.map(({ client }) => client.isWaiting())
    ask({ type: 'subscribe', channel: 'threats', resume })
    expect(isWaiting()).toEqual([true])
    ask({ type: 'subscribe', channel: 'threats', resume })
    expect(isWaiting()).toEqual([false, true])
    ask({ type: 'unsubscribe', channel: 'threats' })
    ask({ type: 'subscribe', channel: 'threats', resume })
    expect(isWaiting()).toEqual([false, false, true])
    sent.length = 0
    session.become({ ...principal, grants: [] })
    expect(isWaiting().at(-1)).toBe(false)
    expect(sent).toEqual(['{"type":"unsubscribed","channel":"threats"}'])
    ask({ type: 'subscribe', channel: 'threats', resume })
    expect(returning).toHaveLength(3)
    session.become(principal)
    ask({ type: 'subscribe', channel: 'threats', resume })
    session.closed()
    expect(isWaiting().at(-1)).toBe(false)
  })

  it('is not given a channel that its role may not read', () => {
    const { hub, ask } = createTestSession({ role: 'auditor' })
    expect(ask({ type: 'subscribe', channel: 'threats' })).toMatchObject([
      { type: 'error', code: 'forbidden' },
    ])
    expect(hub.countOf('threats')).toBe(0)
  })

  it.each([
    'not json',
    '',
    '[]',
    'null',
    '{"type":"subscribe"}',
    '{"type":"subscribe","channel":"*"}',
    '{"type":"subscribe","channel":"__proto__"}',
    '{"type":"subscribe","channel":["threats"]}',
    '{"type":"subscribe","channel":"threats","extra":1}',
    '{"type":"subscribe","channel":"threats","__proto__":{"role":"admin"}}',
    `{"type":"ping","id":"${'x'.repeat(65)}"}`,
    '['.repeat(60_000),
    `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    undefined,
  ])('is told that a message is not in the protocol, and closed when it goes on (%#)', text => {
    const { hub, session, sent, closes } = createTestSession()
    for (let i = 0; i < 5; i += 1) session.receive(text)
    expect(sent).toHaveLength(5)
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({ type: 'error', code: 'bad-message' })
    expect(closes).toEqual([])
    session.receive(text)
    expect(closes).toEqual([CLOSE.protocol])
    expect(hub.countOf('threats')).toBe(0)
  })

  it('is closed when it sends more than its rate, pongs and pings included', () => {
    const messages = createTestSession()
    for (let i = 0; i < 20; i += 1) messages.ask({ type: 'ping' })
    expect(messages.closes).toEqual([])
    messages.ask({ type: 'ping' })
    expect(messages.closes).toEqual([CLOSE.tooMuch])
    const control = createTestSession()
    for (let i = 0; i < 21; i += 1) control.session.receiveControl()
    expect(control.closes).toEqual([CLOSE.tooMuch])
  })

  it('may send at its rate for ever', () => {
    const { ask, advance, closes } = createTestSession()
    for (let i = 0; i < 1_000; i += 1) {
      advance(100)
      ask({ type: 'ping' })
    }
    expect(closes).toEqual([])
  })

  it('is closed as slow when its queue is full, and gets nothing more', () => {
    const { hub, ask, fill, closes } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats' })
    fill()
    hub.deliver('threats', carry('one'))
    expect(closes).toEqual([CLOSE.slow])
    expect(hub.deliver('threats', carry('two'))).toBe(0)
    expect(closes).toEqual([CLOSE.slow])
  })

  it('is closed as stale when it leaves a ping unanswered, and kept while it answers', () => {
    const { advance, session, pings, closes } = createTestSession()
    for (let i = 1; i <= 5; i += 1) {
      advance(25_000)
      expect(pings()).toBe(i)
      session.receiveControl()
    }
    advance(24_999)
    expect(closes).toEqual([])
    advance(1)
    advance(25_000)
    expect(closes).toEqual([CLOSE.stale])
  })

  it('ends with its token, after the grace', () => {
    const { hub, ask, advance, session, closes } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats' })
    while (closes.length === 0) {
      session.receiveControl()
      advance(20_000)
      if (closes.length === 0) expect(hub.countOf('threats')).toBe(1)
    }
    expect(closes).toEqual([CLOSE.expired])
    expect(hub.countOf('threats')).toBe(0)
    const exact = createTestSession()
    exact.session.receiveControl()
    exact.advance(EXPIRES_IN_MS + 4_999)
    expect(exact.closes).toEqual([])
    exact.advance(1)
    expect(exact.closes).toEqual([CLOSE.expired])
  })

  it('is closed once, and answers nothing after', () => {
    const { hub, session, ask, closes } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats' })
    session.close(CLOSE.goingAway)
    session.close(CLOSE.stale)
    expect(closes).toEqual([CLOSE.goingAway])
    expect(ask({ type: 'subscribe', channel: 'threats' })).toEqual([])
    expect(hub.countOf('threats')).toBe(0)
  })

  it('leaves its channels when its connection is lost', () => {
    const { hub, session, ask } = createTestSession()
    ask({ type: 'subscribe', channel: 'threats' })
    session.closed()
    expect(hub.countOf('threats')).toBe(0)
  })

  it('loses at once what its role may no longer read, is told, and keeps the rest', () => {
    const { hub, session, principal, sent, ask } = createTestSession()
    for (const channel of ['threats', 'alerts']) ask({ type: 'subscribe', channel })
    sent.length = 0
    session.become({ ...principal, grants: ['alerts:read'] })
    expect(sent.map(text => JSON.parse(text) as ServerMessage)).toEqual([
      { type: 'unsubscribed', channel: 'threats' },
    ])
    expect([hub.countOf('threats'), hub.countOf('alerts')]).toEqual([0, 1])
    expect(ask({ type: 'subscribe', channel: 'threats' })).toMatchObject([
      { type: 'error', code: 'forbidden' },
    ])
  })

  describe('that is given a newer token', () => {
    const refresh = async (
      { ask, sent }: Pick<ReturnType<typeof createTestSession>, 'ask' | 'sent'>,
      next: Partial<Principal> | string,
    ) => {
      ask({ type: 'refresh', accessToken: typeof next === 'string' ? next : JSON.stringify(next), id: 'r' })
      // The token is checked, then answered: a turn of the event loop is enough here.
      await new Promise(setImmediate)
      return sent.map(text => JSON.parse(text) as ServerMessage)
    }

    it('lives as long as that one', async () => {
      const made = createTestSession()
      const expiresAt = made.principal.expiresAt + 60_000
      expect(await refresh(made, { expiresAt })).toEqual([{ type: 'refreshed', expiresAt, id: 'r' }])
      made.advance(EXPIRES_IN_MS + 59_000)
      expect(made.closes).toEqual([])
      made.advance(7_000)
      expect(made.closes).toEqual([CLOSE.expired])
    })

    it('does not become somebody else, and a bad token changes nothing', async () => {
      const made = createTestSession()
      const expiresAt = made.principal.expiresAt + 60_000
      for (const next of [{ userId: 'other', expiresAt }, { refused: 'expired' } as object, 'not json']) {
        expect(await refresh(made, next)).toMatchObject([{ type: 'error', id: 'r' }])
      }
      expect(made.session.principal).toEqual(made.principal)
    })

    it('loses what the newer one may not read', async () => {
      const made = createTestSession()
      made.ask({ type: 'subscribe', channel: 'threats' })
      const answers = await refresh(made, { grants: ['alerts:read'] })
      expect(answers.map(({ type }) => type)).toEqual(['unsubscribed', 'refreshed'])
      expect(made.hub.countOf('threats')).toBe(0)
    })
  })
})
