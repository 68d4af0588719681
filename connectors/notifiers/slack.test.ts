import { afterEach, describe, expect, it } from '@jest/globals'
import { makeNotification } from '../../test/support/notifications.ts'
import { type Receiver, startReceiver } from '../../test/support/receiver.ts'
import { createSlack, slackMessage } from './slack.ts'

let receiver: Receiver | undefined
afterEach(async () => receiver?.close())

const HOSTILE = '<!channel> *bold* `code` <https://evil.example|click> & :smile: @here\r\n> quote'

/** Every object in a message, however deep. */
const objectsIn = (value: unknown): Record<string, unknown>[] =>
  typeof value !== 'object' || value === null
    ? []
    : [value as Record<string, unknown>, ...Object.values(value).flatMap(objectsIn)]

describe('a message in Slack', () => {
  it('says what happened', () => {
    const message = slackMessage(makeNotification())
    expect(message).toMatchObject({ text: '[HIGH] Brute force: ip:203.0.113.9 (opened)' })
    const texts = objectsIn(message).flatMap(({ type, text }) =>
      type === 'plain_text' ? [String(text)] : [],
    )
    expect(texts).toEqual(
      expect.arrayContaining(['Severity: high', 'Threats: 3', 'Techniques: T1110', 'Alert: alert-1']),
    )
    expect(texts.at(-1)).toBe('ntf_0123456789abcdef')
  })

  it('reads no markup, mention, link or emoji in what an event holds', () => {
    const alert = {
      entity: `user:${HOSTILE}`,
      title: HOSTILE,
      sensors: [HOSTILE],
      reason: HOSTILE,
      id: HOSTILE,
    }
    const message = slackMessage(makeNotification(alert)) as Record<string, unknown>
    expect(String(message['text'])).not.toMatch(/[<>\r\n]|&(?!amp;|lt;|gt;)/)
    expect(message).toMatchObject({
      mrkdwn: false,
      link_names: false,
      unfurl_links: false,
      unfurl_media: false,
    })
    for (const { type, emoji } of objectsIn(message)) {
      expect(type).not.toBe('mrkdwn')
      if (type === 'plain_text') expect(emoji).toBe(false)
    }
  })

  it('stays within the limits of Slack, whatever the event holds', () => {
    const long = '🦊<'.repeat(5_000)
    const alert = {
      entity: long,
      title: long,
      reason: long,
      id: long,
      sensors: Array(500).fill('sensor-with-a-name'),
    }
    const message = slackMessage(makeNotification(alert))
    for (const { type, text, fields } of objectsIn(message)) {
      if (type === 'header') expect((text as { text: string }).text.length).toBeLessThanOrEqual(150)
      if (type === 'section') expect((fields as unknown[]).length).toBeLessThanOrEqual(10)
      if (type === 'plain_text') {
        expect(String(text).length).toBeLessThanOrEqual(2_000)
        expect(String(text).isWellFormed()).toBe(true)
      }
    }
  })

  it('is posted to the incoming webhook, whose refusal is for good', async () => {
    receiver = await startReceiver((index, response) =>
      index === 0 ? response.end('ok') : response.writeHead(404).end('no_service'),
    )
    const [slack] = createSlack({ url: `${receiver.url}/services/T/B/x` }, { allowHttp: true })
    const notification = makeNotification()
    const { signal } = new AbortController()
    await slack?.send(notification, signal)
    expect(receiver.requests.map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
      ['/services/T/B/x', slackMessage(notification)],
    ])
    await expect(slack?.send(notification, signal)).rejects.toMatchObject({ code: 'NS_NOTIFICATION_REFUSED' })
  })

  it('is sent to nobody without an address, and not over http:// unless that is allowed', () => {
    expect(createSlack({ url: undefined }, { allowHttp: false })).toEqual([])
    expect(() => createSlack({ url: 'http://a.example/secret' }, { allowHttp: false })).toThrow(
      expect.objectContaining({
        code: 'NS_CONFIG_INVALID',
        message: expect.not.stringContaining('secret') as unknown,
      }),
    )
  })
})
