import { createHmac, randomBytes } from 'node:crypto'
import type { CredentialStore } from '../store/credentials.ts'
import { isSame, type Sealer } from './sealing.ts'

const SECRET_BYTES = 20
const STEP_MS = 30_000
const DIGITS = 6
/** Steps before and after the present one whose codes are taken: clocks differ, and typing takes time. */
const DRIFT_STEPS = [0, -1, 1] as const
const ISSUER = 'NetSentinel'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648, section 6, without padding: what authenticator apps take. */
export const base32 = (bytes: Uint8Array): string => {
  let text = ''
  let value = 0
  let bits = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[(value >> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return bits > 0 ? text + BASE32[(value << (5 - bits)) & 31] : text
}

/** The code of a time step (RFC 6238 on RFC 4226, section 5.3, with SHA-1). */
export const totpCode = (secret: Uint8Array, step: number, digits: number = DIGITS): string => {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = mac.readUInt8(mac.length - 1) & 15
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff
  return String(number % 10 ** digits).padStart(digits, '0')
}

/** A secret as it is shown to its owner, once. */
export interface TotpProposal {
  /** In base32. */
  readonly secret: string
  /** `otpauth://` address, for a QR code. */
  readonly uri: string
}

/** Second factors. */
export interface Totp {
  /** Makes a secret for a user, which is not asked for until a code of it is shown; undefined when there is one. */
  propose(user: { readonly id: string; readonly username: string }): Promise<TotpProposal | undefined>
  /** Whether a user's login needs a code. */
  isNeeded(userId: string): Promise<boolean>
  /** Whether the code is right at this time. It is used up by that, and the secret confirmed. */
  use(userId: string, code: string): Promise<boolean>
}

interface TotpDeps {
  readonly store: Pick<CredentialStore, 'findTotp' | 'proposeTotp' | 'useTotpStep'>
  readonly sealer: Sealer
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

const contextOf = (userId: string) => `totp ${userId}`

/** Time-based one-time passwords, of which each works once (RFC 6238, section 5.2). Secrets are sealed in the store. */
export const createTotp = ({ store, sealer, now }: TotpDeps): Totp => ({
  propose: async ({ id, username }) => {
    const secret = randomBytes(SECRET_BYTES)
    if (!(await store.proposeTotp(id, sealer.seal(secret, contextOf(id))))) return undefined
    const label = encodeURIComponent(`${ISSUER}:${username}`)
    const text = base32(secret)
    return { secret: text, uri: `otpauth://totp/${label}?secret=${text}&issuer=${ISSUER}` }
  },
  isNeeded: async userId => (await store.findTotp(userId))?.confirmed ?? false,
  use: async (userId, code) => {
    const found = await store.findTotp(userId)
    const secret = found === undefined ? undefined : sealer.open(found.sealed, contextOf(userId))
    if (secret === undefined) return false
    const present = Math.floor(now() / STEP_MS)
    // Every candidate is compared, so that the time taken does not tell which one was near.
    const steps = DRIFT_STEPS.map(drift => present + drift).filter(step =>
      isSame(totpCode(secret, step), code),
    )
    const [step] = steps
    return step === undefined ? false : store.useTotpStep(userId, step)
  },
})
