import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

/** Shortest and longest password, in characters (OWASP ASVS 5.0, 6.2.1 and 6.2.9). */
const MIN_PASSWORD_CHARS = 8
export const MAX_PASSWORD_CHARS = 1_024

/** A user name shorter than this is found in too many good passwords. */
const MIN_CONTEXT_CHARS = 4

const PRODUCT = 'netsentinel'

const COMMON = join(import.meta.dirname, 'common-passwords.txt')

/** Judges passwords that somebody chooses. */
export interface PasswordRules {
  /**
   * Why an account may not have this password, in words for its owner; undefined when it may. Any characters do, and no
   * kinds of them are asked for: what counts is that nobody guesses it (NIST SP 800-63B, section 5.1.1.2).
   */
  problemOf(password: string, username: string): string | undefined
}

const readLines = (path: string): readonly string[] => {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/)
  } catch (cause) {
    throw new SentinelError('NS_CONFIG_INVALID', `GATEWAY_PASSWORD_DENY_FILE: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Loads the passwords that attackers try first, and those of a file of the operator's own, one a line, where one is given:
 * a list of breached passwords, say. Throws NS_CONFIG_INVALID when the file cannot be read.
 */
export const createPasswordRules = ({
  denyFile,
}: {
  readonly denyFile?: string | undefined
} = {}): PasswordRules => {
  const denied = new Set<string>()
  for (const path of denyFile === undefined ? [COMMON] : [COMMON, denyFile]) {
    for (const line of readLines(path)) if (line !== '') denied.add(line.toLowerCase())
  }
  return {
    problemOf: (password, username) => {
      const length = [...password].length
      if (length < MIN_PASSWORD_CHARS) return `a password has at least ${MIN_PASSWORD_CHARS} characters`
      if (length > MAX_PASSWORD_CHARS) return `a password has at most ${MAX_PASSWORD_CHARS} characters`
      const folded = password.toLowerCase()
      if (denied.has(folded)) return 'this password is among those that attackers try first'
      const names = [PRODUCT, ...(username.length < MIN_CONTEXT_CHARS ? [] : [username.toLowerCase()])]
      return names.some(name => folded.includes(name))
        ? 'a password does not hold the name of its account or of the product'
        : undefined
    },
  }
}
