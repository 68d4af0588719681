import { join } from 'node:path'
import { readOrCreateKeyFile } from '../runtime/key-file.ts'
import type { Log } from '../runtime/log.ts'
import { createAccessTokens } from './auth/access-tokens.ts'
import { announcing } from './auth/access-watch.ts'
import { createApiKeys } from './auth/api-keys.ts'
import { createAudit } from './auth/audit.ts'
import { bootstrapAdmin } from './auth/bootstrap.ts'
import { withApiKeys } from './auth/key-provider.ts'
import { openKeyRing } from './auth/key-ring.ts'
import { createLogins } from './auth/logins.ts'
import { createPasswordRules } from './auth/password-rules.ts'
import { createPasswords } from './auth/passwords.ts'
import { createSealer } from './auth/sealing.ts'
import { createStoreProvider } from './auth/store-provider.ts'
import { createTotp } from './auth/totp.ts'
import type { GatewaySettings } from './config.ts'
import { openStore } from './store/open-store.ts'

/** Several looks of every gateway at the store, so that each knows a key before the first token of it comes. */
const LEAD_INTERVALS = 10
const MIN_LEAD_MS = 10_000

interface IdentityDeps {
  readonly settings: GatewaySettings
  /** Where the store and the key are, unless they are configured. */
  readonly dataDir: string
  /** Called when what somebody may do has been changed here. */
  readonly announce: () => void
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/**
 * Opens the store and what stands on it: keys, users, sessions, audit. The first start makes all of it. Throws
 * NS_CONFIG_INVALID, NS_STORE_UNUSABLE and NS_SERVICE_UNREACHABLE.
 */
export const openIdentity = async ({ settings, dataDir, announce, log, now }: IdentityDeps) => {
  const sealer = createSealer(settings.key ?? readOrCreateKeyFile(join(dataDir, 'gateway.key')))
  const rules = createPasswordRules({ denyFile: settings.passwordDenyFile })
  const opened = await openStore({ address: settings.store ?? join(dataDir, 'gateway.db'), log })
  try {
    const store = announcing(opened, announce)
    const audit = createAudit({ store, log, now })
    const passwords = await createPasswords({ concurrency: settings.hashConcurrency })
    const keys = await openKeyRing({
      store,
      sealer,
      tokenLifeMs: settings.accessTokenS * 1000,
      rotateAfterMs: settings.signingKeyS * 1000,
      leadMs: Math.max(MIN_LEAD_MS, settings.accessPollMs * LEAD_INTERVALS),
      now,
    })
    const tokens = createAccessTokens({ keys, maxLifetimeS: settings.accessTokenS, now })
    const bootstrap = await bootstrapAdmin({
      store,
      passwords,
      rules,
      password: settings.bootstrapPassword,
      now,
    })
    if (bootstrap !== undefined) {
      await audit.note({ event: 'user.create', outcome: 'accepted', subject: bootstrap.username })
    }
    const totp = createTotp({ store, sealer, now })
    const logins = createLogins({ store, passwords, totp, log, now })
    const accounts = createStoreProvider({
      store,
      logins,
      passwords,
      rules,
      tokens,
      sealer,
      lifetimes: settings,
      audit,
      now,
    })
    const apiKeys = createApiKeys({ store, now })
    const auth = withApiKeys(accounts, apiKeys)
    return { store, sealer, audit, passwords, logins, keys, totp, accounts, apiKeys, auth, bootstrap }
  } catch (error) {
    await opened.close()
    throw error
  }
}
