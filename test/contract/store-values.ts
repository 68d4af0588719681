import { randomUUID } from 'node:crypto'
import type { Session } from '../../gateway/store/sessions.ts'
import type { User } from '../../gateway/store/users.ts'
import { BLANK_DECISION } from '../../gateway/triage/triage.ts'
import type { Decision } from '../../schemas/generated.ts'

/** The time in the contract suites of the store, in ms since 1970 (UTC). */
export const NOW = 1_700_000_000_000

/** A user whom no other test has. */
export const makeUser = (fields: Partial<User> = {}): User => ({
  id: randomUUID(),
  username: `user-${randomUUID()}`,
  passwordHash: '$argon2id$x',
  passwordExpiresAt: null,
  role: 'viewer',
  disabled: false,
  createdAt: NOW,
  ...fields,
})

/** A session of a user, which ends a second after it began. */
export const makeSession = (userId: string, fields: Partial<Session> = {}): Session => ({
  id: randomUUID(),
  userId,
  createdAt: NOW,
  expiresAt: NOW + 1_000,
  lastUsedAt: NOW,
  address: '192.0.2.7',
  client: 'browser',
  ...fields,
})

/** A decision that no other test has. */
export const makeDecision = (fields: Partial<Decision> & Pick<Decision, 'kind'>): Decision => ({
  id: randomUUID(),
  by: 'ann',
  at: NOW,
  ...BLANK_DECISION,
  ...fields,
})
