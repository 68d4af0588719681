import { createHash, createHmac } from 'node:crypto'
import { z } from 'zod'
import { type SectionValues, section, setting } from '../../runtime/config.ts'
import { postJson, requireHttps } from './http.ts'
import type { Notification, Notifier } from './notifier.ts'

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/
const LEAST_SECRET_BYTES = 24
const MOST_SECRET_BYTES = 64

const keyOf = (secret: string): Buffer => Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64')

const isSecret = (secret: string): boolean => {
  const { length } = keyOf(secret)
  return length >= LEAST_SECRET_BYTES && length <= MOST_SECRET_BYTES
}

/** An address and the secrets that sign what is sent there. */
const endpoint = z.string().refine(text => {
  const [url = '', ...secrets] = text.trim().split(/\s+/)
  return /^https?:\/\//.test(url) && URL.canParse(url) && secrets.length > 0 && secrets.every(isSecret)
}, 'is not `URL whsec_…`')

/** Settings of webhooks. */
export const webhookConfig = section('webhooks', {
  endpoints: setting(
    'NOTIFY_WEBHOOKS',
    z
      .union([
        z.array(z.string()),
        z.string().transform(text => text.split(',').filter(each => each.trim() !== '')),
      ])
      .pipe(z.array(endpoint))
      .default([]),
    'Webhooks that get notifications, comma-separated, each `URL SECRET`: the secret is `whsec_` and 24 to 64 bytes in ' +
      'base64 (`echo whsec_$(openssl rand -base64 32)`). Further secrets behind it sign as well, to change one.',
    { secret: true },
  ),
})

const signature = (secret: string, signed: string): string =>
  `v1,${createHmac('sha256', keyOf(secret)).update(signed).digest('base64')}`

const bodyOf = ({ type, alert }: Notification): string =>
  JSON.stringify({ type, timestamp: new Date(alert.updatedAt).toISOString(), data: alert })

/**
 * Webhooks by the Standard Webhooks specification 1.0.0 (standardwebhooks.com): a JSON body of type, timestamp and data,
 * signed with HMAC-SHA256 together with its id and the time of the attempt. The id is the idempotency key.
 * Throws NS_CONFIG_INVALID for an http:// address that is not allowed.
 */
export const createWebhooks = (
  { endpoints }: SectionValues<typeof webhookConfig>,
  { allowHttp, now = Date.now }: { readonly allowHttp: boolean; readonly now?: () => number },
): Notifier[] =>
  endpoints.map(each => {
    const [address = '', ...secrets] = each.trim().split(/\s+/)
    const url = requireHttps('NOTIFY_WEBHOOKS', address, allowHttp)
    const mark = createHash('sha256').update(address).digest('hex').slice(0, 8)
    return {
      name: `webhook-${url.hostname.replaceAll(/[^\w.-]/g, '')}-${mark}`,
      send: async (notification, signal) => {
        const body = bodyOf(notification)
        const timestamp = String(Math.floor(now() / 1000))
        const signed = `${notification.key}.${timestamp}.${body}`
        await postJson({
          url,
          body,
          headers: {
            'webhook-id': notification.key,
            'webhook-timestamp': timestamp,
            'webhook-signature': secrets.map(secret => signature(secret, signed)).join(' '),
          },
          signal,
        })
      },
    }
  })
