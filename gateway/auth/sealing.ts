import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** Encrypts and authenticates what leaves the process (AES-256-GCM). */
export interface Sealer {
  /** `context` says what the text is for: it opens only where the same context is given. Result in base64url. */
  seal(text: Buffer | string, context: string): string
  /** The text, or undefined when it was not sealed by this key for this context. */
  open(sealed: string, context: string): Buffer | undefined
}

/** Makes a sealer from a secret of any form, at least 256 bits of which must be unknown to others. */
export const createSealer = (secret: string): Sealer => {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'netsentinel gateway sealing', KEY_BYTES))
  return {
    seal: (text, context) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(context))
      return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      )
    },
    open: (sealed, context) => {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
      } catch {
        // The only failure of final() is a tag that does not match: another key, another context, or changed bytes.
        return undefined
      }
    },
  }
}

/** SHA-256 in base64url: how secrets are looked up without being stored. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Compares two texts in a time that depends on neither. */
export const isSame = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
