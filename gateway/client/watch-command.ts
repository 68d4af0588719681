import { readFile } from 'node:fs/promises'
import type { Command } from '../../runtime/command.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import type { GatewaySettings } from '../config.ts'
import { connectClient } from './node.ts'
import { askPassword } from './prompt.ts'
import { createTable } from './watch.ts'

/** The settings that `watch` reads: where the gateway is, and the first password when it is configured. */
export interface WatchConfig {
  readonly gateway: GatewaySettings
}

const PLAIN_COLUMNS = 140

/** `netsentinel watch`. */
export const watch: Command<WatchConfig> = {
  summary: 'Show threats and alerts live in the terminal.',
  details:
    'The password comes from --password-file, else from BOOTSTRAP_ADMIN_PASSWORD, else it is asked for. Runs until Ctrl-C.',
  options: {
    url: {
      type: 'string',
      value: 'URL',
      doc: 'Address of the gateway; GATEWAY_HOST and GATEWAY_PORT by default.',
    },
    user: { type: 'string', value: 'NAME', doc: 'User name; admin by default.' },
    code: { type: 'string', value: 'DIGITS', doc: 'Code of the second factor, where the account has one.' },
    'password-file': { type: 'string', value: 'FILE', doc: 'File that holds the password.' },
  },
  run: async ({ config, options, print, tell, interrupted }) => {
    const { stdout } = process
    const table = createTable({
      columns: stdout.isTTY ? stdout.columns : PLAIN_COLUMNS,
      ...(stdout.isTTY ? { rows: stdout.rows } : {}),
      colour: stdout.isTTY && stdout.hasColors(),
      write: print,
    })
    const url = textOption(options['url']) ?? `http://${config.gateway.host}:${config.gateway.port}`
    const code = textOption(options['code'])
    const client = await connectClient({
      url,
      login: {
        username: textOption(options['user']) ?? 'admin',
        ...(code === undefined ? {} : { code }),
        password: await readPassword(textOption(options['password-file']), config.gateway),
      },
      channels: ['threats', 'alerts'],
      onDelivery: delivery => {
        if (delivery.type === 'threat') table.add(delivery.data)
        else table.addAlert(delivery.data)
      },
      onLost: (channel, reason) => tell(`watch: ${channel}: messages are missing (${reason})`),
      onState: state => tell(`watch: ${state === 'connected' ? `connected to ${url}` : 'reconnecting'}`),
    })
    const stopped = Promise.withResolvers<void>()
    interrupted.addEventListener('abort', () => stopped.resolve(), { once: true })
    if (interrupted.aborted) stopped.resolve()
    try {
      await Promise.race([stopped.promise, client.failed])
    } finally {
      await client.close()
    }
    return EXIT.ok
  },
}

const textOption = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const readPassword = async (path: string | undefined, settings: GatewaySettings): Promise<string> => {
  if (path !== undefined) {
    try {
      return (await readFile(path, 'utf8')).replace(/\r?\n$/, '')
    } catch (cause) {
      throw new SentinelError('NS_USAGE', `watch: --password-file: ${messageOf(cause)}`, { cause })
    }
  }
  if (settings.bootstrapPassword !== undefined) return settings.bootstrapPassword
  if (!process.stdin.isTTY) {
    throw new SentinelError('NS_USAGE', 'watch: give the password in a file: --password-file FILE')
  }
  return askPassword('password: ', { input: process.stdin, output: process.stderr })
}
