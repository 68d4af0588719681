import { z } from 'zod'
import { type SectionValues, section, setting } from '../../runtime/config.ts'
import { postJson, requireHttps } from './http.ts'
import type { Notification, Notifier } from './notifier.ts'
import { factsOf, headlineOf } from './text.ts'

/** Settings of Slack. */
export const slackConfig = section('slack', {
  url: setting(
    'NOTIFY_SLACK_URL',
    z.url({ protocol: /^https?$/ }).optional(),
    'Incoming webhook of Slack that gets notifications.',
    { secret: true },
  ),
})

/** Slack's own limits: a header, the text of a section's field, and how many fields one has. */
const HEADER_LENGTH = 150
const FIELDS = 10

/** Slack reads `<…>` as links and mentions and `&…;` as entities, also where it reads no other markup. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const cut = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text

/** Text that Slack shows as it is: no markup, no mentions, no emoji names. */
const plain = (text: string) => ({ type: 'plain_text', text, emoji: false })

const COLOURS: Readonly<Record<string, string>> = {
  low: '#7a869a',
  medium: '#e2a03f',
  high: '#d9534f',
  critical: '#8b0000',
}

/**
 * The message in Slack's format (Block Kit). Texts of events stand in plain text blocks only; the fallback, which
 * notifications on a phone show, is escaped and its markup is off.
 */
export const slackMessage = (notification: Notification): object => {
  const facts = factsOf(notification).map(([name, value]) => plain(`${name}: ${value}`))
  return {
    text: escaped(headlineOf(notification)),
    mrkdwn: false,
    link_names: false,
    unfurl_links: false,
    unfurl_media: false,
    attachments: [
      {
        color: COLOURS[notification.alert.severity] ?? '',
        blocks: [
          { type: 'header', text: plain(cut(headlineOf(notification), HEADER_LENGTH)) },
          { type: 'section', fields: facts.slice(0, FIELDS) },
          { type: 'context', elements: [...facts.slice(FIELDS), plain(notification.key)] },
        ],
      },
    ],
  }
}

/**
 * Slack by an incoming webhook. It knows no idempotency key, so that a message may be there twice after a crash; the key
 * is in its last line. Throws NS_CONFIG_INVALID for an http:// address that is not allowed.
 */
export const createSlack = (
  { url }: SectionValues<typeof slackConfig>,
  { allowHttp }: { readonly allowHttp: boolean },
): Notifier[] => {
  if (url === undefined) return []
  const address = requireHttps('NOTIFY_SLACK_URL', url, allowHttp)
  return [
    {
      name: 'slack',
      send: (notification, signal) =>
        postJson({ url: address, body: JSON.stringify(slackMessage(notification)), signal }),
    },
  ]
}
