import { isSentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { User, UserStore } from '../store/users.ts'
import type { Passwords } from './passwords.ts'
import type { Credentials, Refusal } from './provider.ts'
import type { Totp } from './totp.ts'
import { foldUsername } from './usernames.ts'

/** Credentials that were refused: what the caller is told, and what the audit log is. */
export interface RefusedLogin extends Refusal {
  readonly because:
    | 'unknown'
    | 'password'
    | 'disabled'
    | 'expired-password'
    | 'temporary-password'
    | 'no-code'
    | 'code'
    | 'overloaded'
  /** The account, where there is one. */
  readonly user?: User
}

/** Looks at credentials. */
export interface Logins {
  /**
   * The user whose credentials these are. A temporary password is refused unless it is there `toChange`. What there is to
   * find out takes the same time whether the account exists or not.
   */
  check(credentials: Credentials, options?: { readonly toChange?: boolean }): Promise<User | RefusedLogin>
}

interface LoginsDeps {
  readonly store: Pick<UserStore, 'findUserByName' | 'replacePasswordHash'>
  readonly passwords: Passwords
  readonly totp: Pick<Totp, 'isNeeded' | 'use'>
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** Makes the check of credentials: name, password, second factor, and that the account may log in at all. */
export const createLogins = ({ store, passwords, totp, log, now }: LoginsDeps): Logins => {
  const rehash = async (user: User, password: string) => {
    if (!passwords.isOutdated(user.passwordHash)) return
    await store.replacePasswordHash(user.id, user.passwordHash, await passwords.hash(password))
    log.info({ userId: user.id }, 'password hash brought up to date')
  }

  const judge = async ({ username, password, code }: Credentials, toChange: boolean) => {
    const user = await store.findUserByName(foldUsername(username))
    const needsCode = await totp.isNeeded(user?.id ?? '')
    const refuse = (because: RefusedLogin['because']): RefusedLogin => ({
      refused: because === 'temporary-password' ? 'password-change' : 'credentials',
      because,
      ...(user === undefined ? {} : { user }),
    })
    const fits = await passwords.verify(password, user?.passwordHash)
    if (user === undefined) return refuse('unknown')
    if (!fits) return refuse('password')
    if (user.disabled) return refuse('disabled')
    if (user.passwordExpiresAt !== null && user.passwordExpiresAt <= now()) return refuse('expired-password')
    if (user.passwordExpiresAt !== null && !toChange) return refuse('temporary-password')
    if (needsCode && code === undefined) return refuse('no-code')
    if (needsCode && !(await totp.use(user.id, code ?? ''))) return refuse('code')
    // One that is about to be replaced need not be brought up to date.
    if (!toChange) await rehash(user, password)
    return user
  }

  return {
    check: async (credentials, { toChange = false } = {}) => {
      try {
        return await judge(credentials, toChange)
      } catch (error) {
        if (isSentinelError(error, 'NS_SERVICE_UNREACHABLE'))
          return { refused: 'overloaded', because: 'overloaded' }
        throw error
      }
    },
  }
}
