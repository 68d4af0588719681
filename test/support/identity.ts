import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createAccessTokens } from '../../gateway/auth/access-tokens.ts'
import { createPasswords, type Passwords } from '../../gateway/auth/passwords.ts'
import type { Credentials, Role } from '../../gateway/auth/provider.ts'
import { createSealer } from '../../gateway/auth/sealing.ts'
import { loadSigningKeys } from '../../gateway/auth/signing-keys.ts'
import { createStoreProvider } from '../../gateway/auth/store-provider.ts'
import { openSqliteStore } from '../../gateway/store/sqlite.ts'
import type { Store } from '../../gateway/store/store.ts'
import { silentLog } from '../../runtime/log.ts'

/** A provider on a store in `directory`, with the system's clock moved by what `advance` was given. */
export const createIdentity = async (directory: string, { accessTokenS = 60 } = {}) => {
  // Half a second past the full one: how far a token's whole seconds are from the clock does not depend on luck.
  let offset = 500 - (Date.now() % 1000)
  const now = () => Date.now() + offset
  const store = openSqliteStore(join(directory, 'gateway.db'))
  const sealer = createSealer('a key that only tests have, long enough')
  const passwords = await createPasswords({ concurrency: 2 })
  const keys = await loadSigningKeys({ store, sealer, now })
  const tokens = await createAccessTokens({ keys, maxLifetimeS: accessTokenS, now })
  const provider = createStoreProvider({
    store,
    passwords,
    tokens,
    lifetimes: { accessTokenS, refreshTokenS: 3_600, sessionS: 86_400 },
    log: silentLog(),
    now,
  })
  return {
    store,
    sealer,
    passwords,
    keys,
    tokens,
    provider,
    now,
    advance: (ms: number) => {
      offset += ms
    },
  }
}

/** Adds an account to a store and returns its id. */
export const addAccount = async (
  { store, passwords }: { readonly store: Store; readonly passwords: Passwords },
  { username, password }: Credentials,
  { role = 'analyst' as Role, disabled = false } = {},
): Promise<string> => {
  const id = randomUUID()
  const passwordHash = await passwords.hash(password)
  await store.addUser({ id, username, passwordHash, role, disabled, createdAt: Date.now() })
  return id
}
