import { z } from 'zod'
import { isPermission, type Permission } from '../auth/permissions.ts'
import { noteAccessChange } from './access-changes.ts'
import type { Database } from './database.ts'

/** A key that access tokens are signed with. The private part is never in the store in clear text. */
export interface SigningKey {
  /** Key id, as the header of a token names it. */
  readonly kid: string
  /** The private key, PKCS #8 in DER, sealed for this `kid`. */
  readonly sealed: string
  /** In ms since 1970 (UTC). */
  readonly createdAt: number
  /** It is published at once, and signs from this time on, when every gateway knows it. In ms since 1970 (UTC). */
  readonly signsFrom: number
}

/** A key that a program proves itself with. Times are in ms since 1970 (UTC). */
export interface ApiKey {
  readonly id: string
  readonly name: string
  /** SHA-256 of the key. */
  readonly hash: string
  readonly scopes: readonly Permission[]
  /** Id of the user who made it. */
  readonly createdBy: string
  readonly createdAt: number
  readonly expiresAt: number
  /** To the minute. */
  readonly lastUsedAt: number | null
}

/** A user's second factor. */
export interface TotpSecret {
  /** The shared secret, sealed for this user. */
  readonly sealed: string
  /** Whether its owner has shown a code of it; until then it is not asked for. */
  readonly confirmed: boolean
}

/** What proves something beside passwords: signing keys, API keys, second factors. */
export interface CredentialStore {
  /** Adds a signing key when the newest is still `newest` (undefined: there is none); else resolves with false. */
  addSigningKey(key: SigningKey, newest: string | undefined): Promise<boolean>
  /** All signing keys, newest first. */
  listSigningKeys(): Promise<readonly SigningKey[]>
  deleteSigningKey(kid: string): Promise<void>

  addApiKey(key: ApiKey): Promise<void>
  findApiKey(by: { readonly hash: string } | { readonly id: string }): Promise<ApiKey | undefined>
  listApiKeys(): Promise<readonly ApiKey[]>
  /** Notes that a key was used. */
  touchApiKey(id: string, now: number): Promise<void>
  /** Resolves with false when there is no such key. `holder` is the id that its sockets are known by. */
  deleteApiKey(id: string, holder: string, now: number): Promise<boolean>

  findTotp(userId: string): Promise<TotpSecret | undefined>
  /** Gives a user a secret that is not confirmed yet; resolves with false when there is a confirmed one. */
  proposeTotp(userId: string, sealed: string): Promise<boolean>
  /**
   * Uses up the code of a time step, and confirms the secret. Resolves with false when this or a later step was used
   * before: a code works once.
   */
  useTotpStep(userId: string, step: number): Promise<boolean>
  /** Resolves with false when there was none. */
  deleteTotp(userId: string): Promise<boolean>
}

const signingKeyRows = z.array(
  z.object({ kid: z.string(), sealed: z.string(), created_at: z.number(), signs_from: z.number() }).transform(
    (row): SigningKey => ({
      kid: row.kid,
      sealed: row.sealed,
      createdAt: row.created_at,
      signsFrom: row.signs_from,
    }),
  ),
)

const apiKeyRows = z.array(
  z
    .object({
      id: z.string(),
      name: z.string(),
      hash: z.string(),
      scopes: z.string(),
      created_by: z.string(),
      created_at: z.number(),
      expires_at: z.number(),
      last_used_at: z.number().nullable(),
    })
    .transform(
      (row): ApiKey => ({
        id: row.id,
        name: row.name,
        hash: row.hash,
        // A scope that this release does not know is none.
        scopes: row.scopes.split(' ').filter(isPermission),
        createdBy: row.created_by,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
        lastUsedAt: row.last_used_at,
      }),
    ),
)

const totpRows = z.array(
  z
    .object({ sealed: z.string(), confirmed: z.number() })
    .transform((row): TotpSecret => ({ sealed: row.sealed, confirmed: row.confirmed !== 0 })),
)

/** The credentials in a database. */
export const createCredentialStore = (database: Database): CredentialStore => ({
  addSigningKey: (key, newest) =>
    database.exclusive(async sql => {
      const [last] = signingKeyRows.parse(
        await sql.all('SELECT * FROM signing_keys ORDER BY created_at DESC, kid LIMIT 1'),
      )
      if (last?.kid !== newest) return false
      await sql.run(
        'INSERT INTO signing_keys (kid, sealed, created_at, signs_from) VALUES (?, ?, ?, ?)',
        key.kid,
        key.sealed,
        key.createdAt,
        key.signsFrom,
      )
      return true
    }),
  listSigningKeys: async () =>
    signingKeyRows.parse(await database.all('SELECT * FROM signing_keys ORDER BY created_at DESC, kid')),
  deleteSigningKey: async kid => {
    await database.run('DELETE FROM signing_keys WHERE kid = ?', kid)
  },

  addApiKey: async key => {
    await database.run(
      `INSERT INTO api_keys (id, name, hash, scopes, created_by, created_at, expires_at, last_used_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      key.id,
      key.name,
      key.hash,
      key.scopes.join(' '),
      key.createdBy,
      key.createdAt,
      key.expiresAt,
      key.lastUsedAt,
    )
  },
  findApiKey: async by => {
    const [column, value] = 'hash' in by ? ['hash', by.hash] : ['id', by.id]
    return apiKeyRows.parse(await database.all(`SELECT * FROM api_keys WHERE ${column} = ?`, value))[0]
  },
  listApiKeys: async () =>
    apiKeyRows.parse(await database.all('SELECT * FROM api_keys ORDER BY created_at DESC, id')),
  touchApiKey: async (id, now) => {
    await database.run('UPDATE api_keys SET last_used_at = ? WHERE id = ?', now, id)
  },
  deleteApiKey: (id, holder, now) =>
    database.transaction(async sql => {
      if ((await sql.run('DELETE FROM api_keys WHERE id = ?', id)) === 0) return false
      await sql.run('DELETE FROM row_filters WHERE holder = ?', holder)
      await noteAccessChange(sql, holder, now)
      return true
    }),

  findTotp: async userId =>
    totpRows.parse(
      await database.all('SELECT sealed, confirmed FROM totp_secrets WHERE user_id = ?', userId),
    )[0],
  proposeTotp: async (userId, sealed) =>
    (await database.run(
      `INSERT INTO totp_secrets (user_id, sealed) VALUES (?, ?)
       ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_step = 0
       WHERE totp_secrets.confirmed = 0`,
      userId,
      sealed,
    )) > 0,
  useTotpStep: async (userId, step) =>
    (await database.run(
      'UPDATE totp_secrets SET last_step = ?, confirmed = 1 WHERE user_id = ? AND last_step < ?',
      step,
      userId,
      step,
    )) > 0,
  deleteTotp: async userId => (await database.run('DELETE FROM totp_secrets WHERE user_id = ?', userId)) > 0,
})
