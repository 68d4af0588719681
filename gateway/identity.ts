import { join } from 'node:path'
import { readOrCreateKeyFile } from '../runtime/key-file.ts'
import type { Log } from '../runtime/log.ts'
import { createAccessTokens } from './auth/access-tokens.ts'
import { announcing } from './auth/access-watch.ts'
import { createApiKeys } from './auth/api-keys.ts'
import { type Audit, createAudit } from './auth/audit.ts'
import { bootstrapAdmin } from './auth/bootstrap.ts'
import { createIssuerKeys } from './auth/issuer-keys.ts'
import { createIssuerProvider } from './auth/issuer-provider.ts'
import { withApiKeys } from './auth/key-provider.ts'
import { openKeyRing } from './auth/key-ring.ts'
import { createLogins } from './auth/logins.ts'
import { createPasswordRules } from './auth/password-rules.ts'
import { createPasswords } from './auth/passwords.ts'
import { withRowFilters } from './auth/row-provider.ts'
import { createSealer } from './auth/sealing.ts'
import { createStoreProvider, type StoreProvider } from './auth/store-provider.ts'
import { createTotp } from './auth/totp.ts'
import type { GatewaySettings } from './config.ts'
import { openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'

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

/** Accounts where there are none: people log in at the issuer. */
const ELSEWHERE: Pick<StoreProvider, 'changePassword' | 'openSession'> = {
  changePassword: async () => ({ refused: 'credentials' }),
  openSession: async () => ({ refused: 'credentials' }),
}

interface IssuerDeps {
  readonly settings: GatewaySettings
  readonly issuer: string
  readonly store: Store
  readonly audit: Audit
  readonly log: Log
  readonly now: () => number
}

const openIssuer = ({ settings, issuer, store, audit, log, now }: IssuerDeps) => {
  const algorithm = settings.issuerAlgorithm
  const keys = createIssuerKeys({ issuer, jwksUrl: settings.issuerJwksUrl, algorithm, log, now })
  const provider = createIssuerProvider({
    settings: {
      issuer,
      algorithm,
      audience: settings.issuerAudience,
      type: settings.issuerTokenType,
      tokenS: settings.issuerTokenS,
      roleClaim: settings.issuerRoleClaim,
      rolePrefix: settings.issuerRolePrefix,
    },
    keys,
    store,
    audit,
    now,
  })
  return { provider, problem: keys.problem }
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
    const totp = createTotp({ store, sealer, now })
    const logins = createLogins({ store, passwords, totp, log, now })
    const own = createStoreProvider({
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
    const shared = {
      store,
      sealer,
      audit,
      passwords,
      logins,
      keys,
      totp,
      apiKeys: createApiKeys({ store, now }),
    }
    if (settings.issuer !== undefined) {
      const issued = openIssuer({ settings, issuer: settings.issuer, store, audit, log, now })
      return {
        ...shared,
        accounts: ELSEWHERE,
        auth: withRowFilters(withApiKeys(issued.provider, shared.apiKeys), store),
        accessTokenS: settings.issuerTokenS,
        problem: issued.problem,
        bootstrap: undefined,
      }
    }
    const bootstrap = await bootstrapAdmin({
      store,
      passwords,
      rules,
      password: settings.bootstrapPassword,
      now,
    })
    if (bootstrap !== undefined) {
      const user = await store.findUserByName(bootstrap.username)
      await audit.note({
        event: 'user.create',
        outcome: 'accepted',
        subject: user?.id,
        detail: { username: bootstrap.username },
      })
    }
    return {
      ...shared,
      accounts: own,
      auth: withRowFilters(withApiKeys(own, shared.apiKeys), store),
      accessTokenS: settings.accessTokenS,
      problem: async () => undefined,
      bootstrap,
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}
