import { randomBytes, randomUUID } from 'node:crypto'
import type { Store } from '../store/store.ts'
import type { Passwords } from './passwords.ts'
import type { Credentials } from './provider.ts'

const USERNAME = 'admin'
const PASSWORD_BYTES = 15

interface BootstrapDeps {
  readonly store: Pick<Store, 'addFirstUser' | 'hasUsers'>
  readonly passwords: Pick<Passwords, 'hash'>
  /** What the first password shall be; a random one when not given. */
  readonly password: string | undefined
  readonly now: () => number
}

/**
 * Makes the account `admin` in a store without users. Resolves with its credentials for whom starts the gateway to
 * show once, or undefined when there is an account: of several gateways that start at once only one makes it.
 */
export const bootstrapAdmin = async (deps: BootstrapDeps): Promise<Credentials | undefined> => {
  if (await deps.store.hasUsers()) return undefined
  const password = deps.password ?? randomBytes(PASSWORD_BYTES).toString('base64url')
  const isFirst = await deps.store.addFirstUser({
    id: randomUUID(),
    username: USERNAME,
    passwordHash: await deps.passwords.hash(password),
    role: 'admin',
    disabled: false,
    createdAt: deps.now(),
  })
  return isFirst ? { username: USERNAME, password } : undefined
}
