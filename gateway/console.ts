import type { CommandContext } from '../runtime/command.ts'
import { SentinelError } from '../runtime/errors.ts'
import type { Service } from '../runtime/lifecycle.ts'
import type { Alert, Threat } from '../schemas/generated.ts'
import { isRefusal } from './auth/provider.ts'
import { connectClient } from './client/node.ts'
import { createTable } from './client/watch.ts'
import { type BackOfficeOpener, type GatewayConfig, startKafkaGateway } from './command.ts'
import type { Gateway } from './gateway.ts'

/** Width of the live table where the terminal's is not known, in columns. */
const DEFAULT_COLUMNS = 140

/** The account whose eyes the console has. */
const CONSOLE_USER = 'admin'

/** A gateway with the login that its start has made up, if it has. */
export interface ConsoleGateway extends Gateway {
  readonly firstLogin?: { readonly username: string; readonly password: string }
}

/** Who is told what arrives over the WebSocket. */
interface Viewer {
  add(threat: Threat): void
  addAlert(alert: Alert): void
}

const openClient = async (gateway: Gateway, viewer: Viewer): Promise<Service> => {
  const openSession = async () => {
    const tokens = await gateway.openSession(CONSOLE_USER)
    if (!isRefusal(tokens)) return tokens
    throw new SentinelError(
      'NS_LOGIN_REFUSED',
      `the account ${CONSOLE_USER} may not log in: ${tokens.refused}`,
    )
  }
  const client = await connectClient({
    url: gateway.url,
    login: { openSession },
    channels: ['threats', 'alerts'],
    onDelivery: delivery => {
      if (delivery.type === 'threat') viewer.add(delivery.data)
      else viewer.addAlert(delivery.data)
    },
  })
  return { name: 'console', check: () => Promise.resolve([]), failed: client.failed, close: client.close }
}

/**
 * The gateway as `netsentinel up` shows it: started in this process, and followed over a WebSocket like any dashboard
 * would, with a session that needs no password because it is opened from within.
 */
export const createConsoleDashboard = <C extends GatewayConfig>(openBackOffice: BackOfficeOpener<C>) => ({
  start: async (context: CommandContext<C>, viewer: Viewer): Promise<readonly [ConsoleGateway, Service]> => {
    const gateway = await startKafkaGateway({ ...context, openBackOffice })
    try {
      const client = await openClient(gateway, viewer)
      const isMadeUp = context.config.gateway.bootstrapPassword === undefined
      const firstLogin = isMadeUp ? gateway.bootstrap : undefined
      return [{ ...gateway, ...(firstLogin === undefined ? {} : { firstLogin }) }, client]
    } catch (error) {
      await gateway.close()
      throw error
    }
  },
  table: (print: (line: string) => void) =>
    createTable({
      columns: process.stdout.columns ?? DEFAULT_COLUMNS,
      ...(process.stdout.isTTY ? { rows: process.stdout.rows, colour: true } : {}),
      write: print,
    }),
})
