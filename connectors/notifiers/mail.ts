import { createHash } from 'node:crypto'
import { createTransport } from 'nodemailer'
import { z } from 'zod'
import { flag, list, type SectionValues, section, setting } from '../../runtime/config.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { inert } from '../../runtime/inert.ts'
import type { Notification, Notifier } from './notifier.ts'
import { factsOf, headlineOf } from './text.ts'

/** Settings of mail. */
export const mailConfig = section('mail', {
  url: setting(
    'NOTIFY_MAIL_URL',
    z.url({ protocol: /^smtps?$/ }).optional(),
    'Mail server for notifications, with user and password where it asks for them: smtps://user:password@host:465, or ' +
      'smtp://user:password@host:587, which must offer STARTTLS.',
    { secret: true },
  ),
  from: setting('NOTIFY_MAIL_FROM', z.email().optional(), 'Address that mails come from.'),
  to: setting(
    'NOTIFY_MAIL_TO',
    list().pipe(z.array(z.email())).default([]),
    'Addresses that notifications are mailed to, comma-separated.',
  ),
  allowPlaintext: setting(
    'NOTIFY_MAIL_ALLOW_PLAINTEXT',
    flag().default(false),
    'Whether a smtp:// server may go without TLS, over which anyone on the way reads alerts and the password.',
  ),
})

const TIMEOUT_MS = 10_000
/** Longest subject, in UTF-16 units. */
const SUBJECT_LENGTH = 200

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

const textOf = (notification: Notification): string =>
  [
    headlineOf(notification),
    '',
    ...factsOf(notification).map(([name, value]) => `${name.padEnd(12)}${value}`),
    '',
    notification.key,
  ].join('\n')

const htmlOf = (notification: Notification): string => {
  const rows = factsOf(notification).map(
    ([name, value]) => `<tr><th align="left">${escaped(name)}</th><td>${escaped(value)}</td></tr>`,
  )
  return `<h3>${escaped(headlineOf(notification))}</h3><table>${rows.join('')}</table><p>${notification.key}</p>`
}

/**
 * The mail of a notification. Its Message-ID is made of the idempotency key, so that a repeated one is the same mail to
 * every server and reader that tells them apart; all mails of an alert refer to the same id, so that readers thread them.
 */
const mailOf = (notification: Notification, from: string, to: readonly string[]) => {
  const domain = from.slice(from.lastIndexOf('@') + 1)
  const thread = createHash('sha256').update(notification.alert.id).digest('hex').slice(0, 32)
  return {
    from,
    to: [...to],
    subject: headlineOf(notification).slice(0, SUBJECT_LENGTH).toWellFormed(),
    messageId: `<${notification.key}@${domain}>`,
    references: `<alert_${thread}@${domain}>`,
    text: textOf(notification),
    html: htmlOf(notification),
    // RFC 3834: no vacation notice answers it.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

const isPermanent = (error: unknown): boolean => {
  if (typeof error !== 'object' || error === null) return false
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown }
  // A password is corrected in the settings, and what waited is sent then.
  return typeof responseCode === 'number' && responseCode >= 500 && code !== 'EAUTH'
}

/**
 * Mail over SMTP with TLS. A reply of 5xx is for good (RFC 5321, 4.2.1), except to a login; anything else is tried again.
 * Throws NS_CONFIG_INVALID when only a part of the settings is there.
 */
export const createMail = (config: SectionValues<typeof mailConfig>): Notifier[] => {
  const { url, from, to, allowPlaintext } = config
  if (url === undefined) return []
  if (from === undefined || to.length === 0) {
    throw new SentinelError(
      'NS_CONFIG_INVALID',
      'NOTIFY_MAIL_URL is set: NOTIFY_MAIL_FROM and NOTIFY_MAIL_TO are required',
    )
  }
  const { protocol, hostname, port, username, password } = new URL(url)
  const secure = protocol === 'smtps:'
  const transport = createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (secure ? 465 : 587)),
    secure,
    requireTLS: !secure && !allowPlaintext,
    ...(username === ''
      ? {}
      : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  })
  return [
    {
      name: 'mail',
      send: async (notification, signal) => {
        try {
          await transport.sendMail({ ...mailOf(notification, from, to), signal })
        } catch (cause) {
          const code = isPermanent(cause) ? 'NS_NOTIFICATION_REFUSED' : 'NS_NOTIFICATION_FAILED'
          throw new SentinelError(code, inert(messageOf(cause)).slice(0, SUBJECT_LENGTH), { cause })
        }
      },
    },
  ]
}
