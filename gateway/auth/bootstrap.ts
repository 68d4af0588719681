import { randomUUID } from 'node:crypto'
import { SentinelError } from '../../runtime/errors.ts'
import type { UserStore } from '../store/users.ts'
import type { PasswordRules } from './password-rules.ts'
import type { Passwords } from './passwords.ts'
import type { Credentials } from './provider.ts'
import { makeTemporaryPassword, TEMPORARY_PASSWORD_MS } from './temporary-password.ts'

const USERNAME = 'admin'

interface BootstrapDeps {
  readonly store: Pick<UserStore, 'addFirstUser' | 'hasUsers'>
  readonly passwords: Pick<Passwords, 'hash'>
  readonly rules: PasswordRules
  /** What the first password shall be; a random one when not given. */
  readonly password: string | undefined
  readonly now: () => number
}

/**
 * Makes the account `admin` in a store without users. Resolves with its credentials for whom starts the gateway to
 * show once, or undefined when there is an account: of several gateways that start at once only one makes it. A password
 * that was made up here works for a day, and only to be changed. Throws NS_CONFIG_INVALID when the given one is weak.
 */
export const bootstrapAdmin = async (deps: BootstrapDeps): Promise<Credentials | undefined> => {
  const problem = deps.password === undefined ? undefined : deps.rules.problemOf(deps.password, USERNAME)
  if (problem !== undefined) {
    throw new SentinelError('NS_CONFIG_INVALID', `BOOTSTRAP_ADMIN_PASSWORD: ${problem}`)
  }
  if (await deps.store.hasUsers()) return undefined
  const password = deps.password ?? makeTemporaryPassword()
  const isFirst = await deps.store.addFirstUser({
    id: randomUUID(),
    username: USERNAME,
    passwordHash: await deps.passwords.hash(password),
    passwordExpiresAt: deps.password === undefined ? deps.now() + TEMPORARY_PASSWORD_MS : null,
    role: 'admin',
    disabled: false,
    createdAt: deps.now(),
  })
  return isFirst ? { username: USERNAME, password } : undefined
}
