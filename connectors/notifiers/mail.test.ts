import { afterEach, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../runtime/config.ts'
import { makeNotification } from '../../test/support/notifications.ts'
import {
  type ReceivedMail,
  type SmtpReplies,
  type SmtpServer,
  startSmtpServer,
} from '../../test/support/smtp.ts'
import { createMail, mailConfig } from './mail.ts'

let server: SmtpServer | undefined
afterEach(async () => server?.close())

const { signal } = new AbortController()

const settings = (env: Record<string, string>) => loadConfig({ mail: mailConfig }, env).mail

const mailer = async (replies: SmtpReplies = {}, env: Record<string, string> = {}) => {
  server = await startSmtpServer(replies)
  const [mail] = createMail(
    settings({
      NOTIFY_MAIL_URL: `smtp://eve:p%40ss@127.0.0.1:${server.port}`,
      NOTIFY_MAIL_FROM: 'sentinel@example.org',
      NOTIFY_MAIL_TO: 'soc@example.org, night@example.org',
      NOTIFY_MAIL_ALLOW_PLAINTEXT: 'true',
      ...env,
    }),
  )
  if (mail === undefined) throw new Error('mail is configured')
  return { mail, mails: server.mails }
}

/** The head of a mail: names in lower case, folded lines joined. */
const headOf = (data: string): [string, string][] =>
  (data.split('\n\n')[0] ?? '')
    .replaceAll(/\n[ \t]+/g, ' ')
    .split('\n')
    .map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)])

describe('a mail', () => {
  it('is sent with login, to all, in text and HTML', async () => {
    const { mail, mails } = await mailer()
    await mail.send(makeNotification(), signal)
    expect(mails).toHaveLength(1)
    const [{ from, to, data, auth } = { from: '', to: [], data: '', auth: '' }] = mails
    expect([from, to]).toEqual(['sentinel@example.org', ['soc@example.org', 'night@example.org']])
    expect(Buffer.from(auth ?? '', 'base64').toString()).toBe('\0eve\0p@ss')
    const head = Object.fromEntries(headOf(data))
    expect(head).toMatchObject({
      from: 'sentinel@example.org',
      to: 'soc@example.org, night@example.org',
      subject: '[HIGH] Brute force: ip:203.0.113.9 (opened)',
      'message-id': '<ntf_0123456789abcdef@example.org>',
      'auto-submitted': 'auto-generated',
    })
    expect(data).toContain('text/plain')
    expect(data).toMatch(/Techniques {2}T1110/)
    expect(data).toContain('<td>T1110</td>')
  })

  it('has the same id when it is sent again, and the thread of its alert', async () => {
    const { mail, mails } = await mailer()
    const first = makeNotification()
    await mail.send(first, signal)
    await mail.send(first, signal)
    await mail.send(makeNotification({}, { key: 'ntf_2', type: 'alert.escalated' }), signal)
    await mail.send(makeNotification({ id: 'alert-2' }, { key: 'ntf_3' }), signal)
    const heads = mails.map(({ data }) => Object.fromEntries(headOf(data)))
    const [ids, threads] = [heads.map(head => head['message-id']), heads.map(head => head['references'])]
    expect(ids[1]).toBe(ids[0])
    expect(new Set(ids).size).toBe(3)
    expect(threads.slice(1, 3)).toEqual([threads[0], threads[0]])
    expect(threads[3]).not.toBe(threads[0])
  })

  it('gets no header and no markup out of what an event holds', async () => {
    const { mail, mails } = await mailer()
    const hostile = 'x\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>"\'&\u0000\u2028'
    await mail.send(
      makeNotification({
        entity: `user:${hostile}`,
        title: hostile,
        reason: hostile,
        id: hostile,
        sensors: [hostile],
      }),
      signal,
    )
    const [{ to, data } = { to: [], data: '' }]: readonly Pick<ReceivedMail, 'to' | 'data'>[] = mails
    expect(to).toEqual(['soc@example.org', 'night@example.org'])
    const names = headOf(data).map(([name]) => name)
    expect(names).not.toContain('bcc')
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted())
    const html = data.slice(data.indexOf('text/html'))
    expect(html).toContain('&#60;script&#62;')
    expect(html).not.toContain('<script')
  })

  it.each<[string, SmtpReplies, string]>([
    ['a refused recipient', { rcpt: () => '550 no such user' }, 'NS_NOTIFICATION_REFUSED'],
    ['a refused mail', { data: () => '554 spam' }, 'NS_NOTIFICATION_REFUSED'],
    ['a full mailbox', { data: () => '452 later' }, 'NS_NOTIFICATION_FAILED'],
    ['a refused login, which the settings may cure', { auth: '535 wrong' }, 'NS_NOTIFICATION_FAILED'],
  ])('takes %s for what it is', async (_, replies, code) => {
    const { mail, mails } = await mailer(replies)
    await expect(mail.send(makeNotification(), signal)).rejects.toMatchObject({ code })
    expect(mails).toEqual([])
  })

  it('is not sent without TLS unless that is allowed, and neither is the password', async () => {
    const { mail, mails } = await mailer({}, { NOTIFY_MAIL_ALLOW_PLAINTEXT: 'false' })
    await expect(mail.send(makeNotification(), signal)).rejects.toMatchObject({
      code: 'NS_NOTIFICATION_FAILED',
    })
    expect(mails).toEqual([])
  })

  it('is tried again when the server is away', async () => {
    const { mail } = await mailer()
    await server?.close()
    await expect(mail.send(makeNotification(), signal)).rejects.toMatchObject({
      code: 'NS_NOTIFICATION_FAILED',
    })
  })
})

describe('the settings of mail', () => {
  it('are all or none', () => {
    expect(createMail(settings({}))).toEqual([])
    expect(() => createMail(settings({ NOTIFY_MAIL_URL: 'smtps://mail.example' }))).toThrow(
      expect.objectContaining({ code: 'NS_CONFIG_INVALID' }),
    )
  })

  it.each([
    { NOTIFY_MAIL_URL: 'http://eve:hunter2@mail.example' },
    { NOTIFY_MAIL_FROM: 'a@example.org\r\nBcc: b@example.org' },
    { NOTIFY_MAIL_TO: 'a@example.org, nobody' },
  ])('refuse %j', env => {
    expect(() => settings(env as Record<string, string>)).toThrow(/NOTIFY_MAIL_/)
    expect(() => settings(env as Record<string, string>)).not.toThrow(/hunter2/)
  })
})
