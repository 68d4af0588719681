import { randomUUID } from 'node:crypto'
import type { Passwords } from '../../gateway/auth/passwords.ts'
import type { Role } from '../../gateway/auth/permissions.ts'
import type { Credentials } from '../../gateway/auth/provider.ts'
import { gatewayConfig } from '../../gateway/config.ts'
import { openIdentity } from '../../gateway/identity.ts'
import type { UserStore } from '../../gateway/store/users.ts'
import { loadConfig } from '../../runtime/config.ts'
import { type Log, silentLog } from '../../runtime/log.ts'

/** All that the gateway knows of people, on a store in `directory`, with the system's clock moved by `advance`. */
export const createIdentity = async (
  directory: string,
  env: Readonly<Record<string, string>> = {},
  log: Log = silentLog(),
) => {
  // Half a second past the full one: how far a token's whole seconds are from the clock does not depend on luck.
  let offset = 500 - (Date.now() % 1000)
  const now = () => Date.now() + offset
  const settings = {
    ACCESS_TOKEN_TTL_S: '60',
    REFRESH_TOKEN_TTL_S: '3600',
    SESSION_TTL_S: '86400',
    GATEWAY_KEY: 'a key that only tests have, long enough',
    ...env,
  }
  const identity = await openIdentity({
    settings: loadConfig({ gateway: gatewayConfig }, settings).gateway,
    dataDir: directory,
    announce: () => undefined,
    log,
    now,
  })
  return {
    ...identity,
    provider: identity.auth,
    now,
    advance: (ms: number) => {
      offset += ms
    },
  }
}

/** Adds an account to a store and returns its id. */
export const addAccount = async (
  {
    store,
    passwords,
  }: { readonly store: Pick<UserStore, 'addUser'>; readonly passwords: Pick<Passwords, 'hash'> },
  { username, password }: Credentials,
  { role = 'analyst' as Role, disabled = false } = {},
): Promise<string> => {
  const id = randomUUID()
  const passwordHash = await passwords.hash(password)
  await store.addUser({
    id,
    username,
    passwordHash,
    passwordExpiresAt: null,
    role,
    disabled,
    createdAt: Date.now(),
  })
  return id
}
