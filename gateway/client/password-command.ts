import type { Command } from '../../runtime/command.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { askPassword } from './prompt.ts'
import type { WatchConfig } from './watch-command.ts'

const TIMEOUT_MS = 15_000

/** Asks the gateway to change a password. Throws NS_LOGIN_REFUSED, NS_SERVICE_UNREACHABLE. */
const changePassword = async (
  url: string,
  change: {
    readonly username: string
    readonly password: string
    readonly newPassword: string
    readonly code?: string
  },
): Promise<void> => {
  const response = await fetch(new URL('/auth/password', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(change),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new SentinelError('NS_SERVICE_UNREACHABLE', `the gateway at ${url}: ${messageOf(cause)}`, { cause })
  })
  if (response.ok) return
  const { detail = `it answered ${response.status}` } = (await response.json()) as { detail?: string }
  throw response.status >= 500
    ? new SentinelError('NS_SERVICE_UNREACHABLE', `the gateway at ${url}: ${detail}`)
    : new SentinelError('NS_LOGIN_REFUSED', `the password was not changed: ${detail}`)
}

/** `netsentinel password`. */
export const password: Command<WatchConfig> = {
  summary: 'Change the password of an account of the gateway.',
  details:
    'Asks for the present password, or the temporary one, and twice for the new one. Ends every session of the account.',
  options: {
    url: {
      type: 'string',
      value: 'URL',
      doc: 'Address of the gateway; GATEWAY_HOST and GATEWAY_PORT by default.',
    },
    user: { type: 'string', value: 'NAME', doc: 'User name; admin by default.' },
    code: { type: 'string', value: 'DIGITS', doc: 'Code of the second factor, where the account has one.' },
  },
  run: async ({ config, options, print }) => {
    const terminal = { input: process.stdin, output: process.stderr }
    if (!process.stdin.isTTY) {
      throw new SentinelError(
        'NS_USAGE',
        'a password is changed at a terminal; programs use POST /auth/password',
      )
    }
    const given = (name: string) => {
      const value = options[name]
      return typeof value === 'string' ? value : undefined
    }
    const url = given('url') ?? `http://${config.gateway.host}:${config.gateway.port}`
    const username = given('user') ?? 'admin'
    const code = given('code')
    const present = await askPassword(`Present password of ${username}: `, terminal)
    const newPassword = await askPassword('New password: ', terminal)
    if ((await askPassword('New password again: ', terminal)) !== newPassword) {
      throw new SentinelError('NS_USAGE', 'the two new passwords differ')
    }
    const change = { username, password: present, newPassword, ...(code === undefined ? {} : { code }) }
    await changePassword(url, change)
    print('password changed')
    return EXIT.ok
  },
}
