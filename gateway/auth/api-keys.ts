import { randomBytes, randomUUID } from 'node:crypto'
import type { ApiKey, CredentialStore } from '../store/credentials.ts'
import type { Permission } from './permissions.ts'
import type { Principal, Refusal } from './provider.ts'
import { digest } from './sealing.ts'

/** What an API key begins with, for people and for scanners of leaked secrets. */
const PREFIX = 'nsk_'
const KEY_BYTES = 32
const KEY = /^nsk_[A-Za-z0-9_-]{43}$/
const TOUCH_EVERY_MS = 60_000

/** What a key is made for. */
export interface ApiKeyWish {
  readonly name: string
  readonly scopes: readonly Permission[]
  /** Id of the user who makes it. */
  readonly createdBy: string
  /** In ms since 1970 (UTC). */
  readonly expiresAt: number
}

/** Keys of programs. */
export interface ApiKeys {
  /** Makes a key; its text is not kept and cannot be shown again. */
  issue(wish: ApiKeyWish): Promise<{ readonly key: ApiKey; readonly text: string }>
  /** Whether a bearer token claims to be an API key. */
  isKey(token: string): boolean
  validate(token: string): Promise<Principal | Refusal>
  recheck(principal: Principal): Promise<Principal | Refusal>
}

interface ApiKeysDeps {
  readonly store: Pick<CredentialStore, 'addApiKey' | 'findApiKey' | 'touchApiKey'>
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

const HOLDER = 'key:'

/** The id that a key's principals have in place of a user's. */
export const holderOf = (keyId: string): string => `${HOLDER}${keyId}`

/** Whether a principal is a program with an API key. */
export const isKeyHolder = ({ userId }: Principal): boolean => userId.startsWith(HOLDER)

const principalOf = (key: ApiKey): Principal => ({
  userId: holderOf(key.id),
  username: key.name,
  role: 'service',
  grants: key.scopes,
  rows: null,
  tokenId: key.id,
  sessionId: null,
  issuedAt: key.createdAt,
  expiresAt: key.expiresAt,
})

/** API keys: 256 random bits, stored by their hash alone, with an end and with scopes. */
export const createApiKeys = ({ store, now }: ApiKeysDeps): ApiKeys => {
  const judge = (key: ApiKey | undefined): Principal | Refusal => {
    if (key === undefined) return { refused: 'signature' }
    return key.expiresAt <= now() ? { refused: 'expired' } : principalOf(key)
  }
  return {
    issue: async wish => {
      const text = PREFIX + randomBytes(KEY_BYTES).toString('base64url')
      const key: ApiKey = {
        ...wish,
        id: randomUUID(),
        hash: digest(text),
        createdAt: now(),
        lastUsedAt: null,
      }
      await store.addApiKey(key)
      return { key, text }
    },
    isKey: token => token.startsWith(PREFIX),
    validate: async token => {
      if (!KEY.test(token)) return { refused: 'malformed' }
      const key = await store.findApiKey({ hash: digest(token) })
      if (key !== undefined && (key.lastUsedAt ?? 0) <= now() - TOUCH_EVERY_MS) {
        await store.touchApiKey(key.id, now())
      }
      return judge(key)
    },
    recheck: async ({ tokenId }) => judge(await store.findApiKey({ id: tokenId })),
  }
}
