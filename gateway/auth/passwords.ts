import { type Algorithm, hash, parseOptions, verify } from '@node-rs/argon2'
import { SentinelError } from '../../runtime/errors.ts'
import { createTurns } from '../../runtime/turns.ts'

/** Argon2id. The package declares its constants in a form that type stripping cannot read. */
const ARGON2ID = 2 as Algorithm

/** The least that OWASP ASVS 5.0 (appendix C) takes: 19 MiB, two passes, one lane. Measured: 12 ms a hash. */
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 }

const WAITING_PER_SLOT = 32

/** Hashes passwords, a few at a time: each hash takes 19 MiB and a thread of the pool that files and DNS also use. */
export interface Passwords {
  /** The PHC string for a password. Throws NS_SERVICE_UNREACHABLE when too many wait already. */
  hash(password: string): Promise<string>
  /**
   * Whether the password fits the stored hash. Without one (no such user) it takes the same time and says no.
   * Throws NS_SERVICE_UNREACHABLE when too many wait already.
   */
  verify(password: string, stored: string | undefined): Promise<boolean>
  /** Whether a stored hash was made with other parameters than a new one would be. */
  isOutdated(stored: string): boolean
}

/** Makes the hasher; `concurrency` hashes are worked out at a time. */
export const createPasswords = async ({
  concurrency,
}: {
  readonly concurrency: number
}): Promise<Passwords> => {
  const turns = createTurns(concurrency)
  const limited = async <T>(work: () => Promise<T>): Promise<T> => {
    if (turns.waiting >= concurrency * WAITING_PER_SLOT) {
      throw new SentinelError('NS_SERVICE_UNREACHABLE', 'too many logins at once')
    }
    return turns.take(work)
  }

  const nobody = await hash(`nobody ${Math.random()}`, PARAMETERS)
  return {
    hash: password => limited(() => hash(password, PARAMETERS)),
    verify: async (password, stored) => {
      const fits = await limited(() => verify(stored ?? nobody, password))
      return fits && stored !== undefined
    },
    isOutdated: stored => {
      const made = parseOptions(stored)
      return (
        made.algorithm !== PARAMETERS.algorithm ||
        made.memoryCost !== PARAMETERS.memoryCost ||
        made.timeCost !== PARAMETERS.timeCost ||
        made.parallelism !== PARAMETERS.parallelism
      )
    },
  }
}
