import { createHmac, randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../runtime/config.ts'
import { makeNotification } from '../../test/support/notifications.ts'
import { type Answer, type Receiver, startReceiver } from '../../test/support/receiver.ts'
import { createWebhooks, webhookConfig } from './webhook.ts'

const SECRET = `whsec_${randomBytes(32).toString('base64')}`
const OLD_SECRET = `whsec_${randomBytes(24).toString('base64')}`
const signal = new AbortController().signal

let receiver: Receiver | undefined
afterEach(async () => receiver?.close())

const settings = (endpoints: string) =>
  loadConfig({ webhooks: webhookConfig }, { NOTIFY_WEBHOOKS: endpoints }).webhooks

const webhookTo = async (answer?: Answer, path = '/hook', secrets = SECRET) => {
  receiver = await startReceiver(answer)
  const [webhook] = createWebhooks(settings(`${receiver.url}${path} ${secrets}`), { allowHttp: true })
  if (webhook === undefined) throw new Error('there is a webhook')
  return { webhook, requests: receiver.requests }
}

/** Verifies as a receiver would, from the specification alone: standardwebhooks.com, "Signature scheme". */
const verified = (headers: Record<string, unknown>, body: string, secret: string): boolean => {
  const content = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const wanted = createHmac('sha256', key).update(content).digest('base64')
  return String(headers['webhook-signature'])
    .split(' ')
    .some(each => each === `v1,${wanted}`)
}

describe('a webhook', () => {
  it('posts type, time and alert as JSON, signed with id and time', async () => {
    const { webhook, requests } = await webhookTo()
    const notification = makeNotification()
    await webhook.send(notification, signal)
    expect(requests).toHaveLength(1)
    const [{ method, path, headers, body } = { method: '', path: '', headers: {}, body: '' }] = requests
    expect([method, path, headers['content-type']]).toEqual(['POST', '/hook', 'application/json'])
    expect(headers['webhook-id']).toBe(notification.key)
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60)
    expect(JSON.parse(body)).toEqual({
      type: 'alert.opened',
      timestamp: new Date(notification.alert.updatedAt).toISOString(),
      data: notification.alert,
    })
    expect(verified(headers, body, SECRET)).toBe(true)
    expect(verified(headers, `${body} `, SECRET)).toBe(false)
    expect(verified({ ...headers, 'webhook-id': 'other' }, body, SECRET)).toBe(false)
    expect(verified(headers, body, OLD_SECRET)).toBe(false)
  })

  it('signs as the specification says, whose own example this is', async () => {
    // The example of the specification's reference implementations: id, time, body, secret and signature.
    const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
    const signed = createHmac('sha256', key)
      .update('msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}')
      .digest('base64')
    expect(signed).toBe('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it('signs with every secret, so that one can be changed', async () => {
    const { webhook, requests } = await webhookTo(undefined, '/hook', `${SECRET} ${OLD_SECRET}`)
    await webhook.send(makeNotification(), signal)
    const [{ headers, body } = { headers: {}, body: '' }] = requests
    expect([SECRET, OLD_SECRET].map(secret => verified(headers, body, secret))).toEqual([true, true])
  })

  it.each([
    [400, 'NS_NOTIFICATION_REFUSED'],
    [401, 'NS_NOTIFICATION_REFUSED'],
    [404, 'NS_NOTIFICATION_REFUSED'],
    [410, 'NS_NOTIFICATION_REFUSED'],
    [408, 'NS_NOTIFICATION_FAILED'],
    [425, 'NS_NOTIFICATION_FAILED'],
    [429, 'NS_NOTIFICATION_FAILED'],
    [500, 'NS_NOTIFICATION_FAILED'],
    [503, 'NS_NOTIFICATION_FAILED'],
  ])('takes an answer of %d for %s', async (status, code) => {
    const { webhook } = await webhookTo((_, response) => response.writeHead(status).end('because'))
    await expect(webhook.send(makeNotification(), signal)).rejects.toMatchObject({
      code,
      message: `answered ${status}: because`,
    })
  })

  it('passes on how long the receiver wants to be left alone', async () => {
    const at = new Date(Date.now() + 100_000).toUTCString()
    const { webhook } = await webhookTo((index, response) =>
      response.writeHead(429, { 'retry-after': index === 0 ? '17' : index === 1 ? at : 'soon' }).end(),
    )
    const send = () => webhook.send(makeNotification(), signal)
    await expect(send()).rejects.toMatchObject({ retryAfterMs: 17_000 })
    const error: unknown = await send().catch((reason: unknown) => reason)
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(60_000)
    await expect(send()).rejects.not.toHaveProperty('retryAfterMs')
  })

  it('follows no redirect', async () => {
    const { webhook, requests } = await webhookTo((_, response) =>
      response.writeHead(307, { location: '/elsewhere' }).end(),
    )
    await expect(webhook.send(makeNotification(), signal)).rejects.toMatchObject({
      code: 'NS_NOTIFICATION_REFUSED',
      message: expect.stringContaining('redirects are not followed') as unknown,
    })
    expect(requests.map(({ path }) => path)).toEqual(['/hook'])
  })

  it('reads only the beginning of an answer, and shows nothing of it that acts on a terminal', async () => {
    const { webhook } = await webhookTo((_, response) => {
      response.writeHead(500)
      response.write('\u001b[2J\r\nno')
      // An answer without an end.
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    const error: unknown = await webhook.send(makeNotification(), signal).catch((reason: unknown) => reason)
    expect(String(error)).toContain('answered 500: \\x1b[2J\\x0d\\x0anoxxx')
    expect(String(error).length).toBeLessThan(300)
  })

  it('does not wait for a receiver that does not answer once it is closed, nor for one that is not there', async () => {
    const { webhook } = await webhookTo(() => undefined)
    const closing = new AbortController()
    const sent = webhook.send(makeNotification(), closing.signal)
    closing.abort()
    await expect(sent).rejects.toMatchObject({ code: 'NS_NOTIFICATION_FAILED' })
    await receiver?.close()
    await expect(webhook.send(makeNotification(), signal)).rejects.toMatchObject({
      code: 'NS_NOTIFICATION_FAILED',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
    })
  })

  it('tells no secret: not in its name, not in what goes wrong', async () => {
    const { webhook } = await webhookTo(
      (_, response) => response.writeHead(500).end(),
      '/token-in-the-path?key=k1',
    )
    expect(webhook.name).toMatch(/^webhook-127\.0\.0\.1-[0-9a-f]{8}$/)
    await expect(webhook.send(makeNotification(), signal)).rejects.toThrow(/^answered 500$/)
  })
})

describe('the settings of webhooks', () => {
  it('take several, each with secrets of its own, and none', () => {
    const names = createWebhooks(
      settings(`https://a.example/1 ${SECRET}, https://b.example/2 ${OLD_SECRET}`),
      {
        allowHttp: false,
      },
    ).map(({ name }) => name.replace(/-\w+$/, ''))
    expect(names).toEqual(['webhook-a.example', 'webhook-b.example'])
    expect(createWebhooks(settings(''), { allowHttp: false })).toEqual([])
  })

  it.each([
    ['no secret', 'https://a.example/'],
    ['a short secret', `https://a.example/ whsec_${Buffer.alloc(23, 1).toString('base64')}`],
    ['a long secret', `https://a.example/ whsec_${Buffer.alloc(65, 1).toString('base64')}`],
    ['a secret of another form', 'https://a.example/ hunter2hunter2hunter2hunter2hunter2'],
    ['no address', SECRET],
    ['an address of another kind', `file:///etc/passwd ${SECRET}`],
  ])('refuse %s, without telling it', (_, endpoints) => {
    let message = ''
    try {
      settings(endpoints)
    } catch (error) {
      message = String(error)
    }
    expect(message).toContain('NOTIFY_WEBHOOKS')
    expect(message).not.toMatch(/whsec|hunter2|passwd/)
  })

  it('refuse http:// unless it is allowed', () => {
    const plain = settings(`http://a.example/token ${SECRET}`)
    expect(() => createWebhooks(plain, { allowHttp: false })).toThrow(
      expect.objectContaining({
        code: 'NS_CONFIG_INVALID',
        message: expect.not.stringContaining('token') as unknown,
      }),
    )
    expect(createWebhooks(plain, { allowHttp: true })).toHaveLength(1)
  })
})
