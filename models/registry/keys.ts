import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { list, type SectionValues, section, setting } from '../../runtime/config.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { readOrCreateKeyFile } from '../../runtime/key-file.ts'

/** Settings of the keys that models are signed with. */
export const modelsConfig = section('models', {
  signingKey: setting(
    'MODELS_SIGNING_KEY',
    z.string().optional(),
    'Ed25519 private key that signs models and promotions: PKCS#8 in PEM, or its 32 bytes in base64url. For retraining ' +
      'and `models`; scorers need MODELS_PUBLIC_KEYS only. With neither, DATA_DIR/models.key, made when it is missing.',
    { secret: true },
  ),
  publicKeys: setting(
    'MODELS_PUBLIC_KEYS',
    list().optional(),
    'Ed25519 public keys whose signatures are believed, 32 bytes in base64url each, as `models key` prints them. The one ' +
      'that belongs to the signing key is believed without being named.',
  ),
})

/** The bytes before the key itself: of a private key in PKCS#8, of a public one in SPKI (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const KEY_BYTES = 32

/** Put before what is signed, so that no signature made for another purpose fits. */
const PURPOSE = 'netsentinel/models/1\n'

/** Signs, and tells what was signed by a key that is believed. */
export interface ModelKeys {
  /** The public key of the signing one, in base64url; undefined where nothing can be signed. */
  readonly publicKey: string | undefined
  /** Throws NS_CONFIG_INVALID where there is no private key. */
  sign(text: string): { readonly key: string; readonly signature: string }
  /** Why a signature is not believed; undefined when it is. */
  problemOf(text: string, signed: { readonly key: string; readonly signature: string }): string | undefined
}

const invalid = (message: string, cause?: unknown) =>
  new SentinelError('NS_CONFIG_INVALID', message, { cause })

/** The bytes of a key in base64url; undefined when there are not as many as a key has. */
const rawKey = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text.trim(), 'base64url')
  return bytes.length === KEY_BYTES && /^[\w-]+$/.test(text.trim()) ? bytes : undefined
}

const privateKeyOf = (text: string, name: string): KeyObject => {
  const raw = rawKey(text)
  try {
    const key =
      raw === undefined
        ? createPrivateKey(text)
        : createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, raw]), format: 'der', type: 'pkcs8' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw invalid(`${name} is no private key in PEM and not ${KEY_BYTES} bytes in base64url`, cause)
  }
  throw invalid(`${name} is not an Ed25519 key`)
}

const publicKeyOf = (text: string): KeyObject => {
  const raw = rawKey(text)
  if (raw === undefined) {
    throw invalid(`MODELS_PUBLIC_KEYS: '${text}' is not ${KEY_BYTES} bytes in base64url`)
  }
  try {
    return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' })
  } catch (cause) {
    throw invalid(`MODELS_PUBLIC_KEYS: '${text}' is no Ed25519 key: ${messageOf(cause)}`, cause)
  }
}

const rawPublicKey = (key: KeyObject): Buffer =>
  key.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length)

/** Names a public key: the first 16 hexadecimal digits of its SHA-256. */
const keyId = (key: KeyObject): string =>
  createHash('sha256').update(rawPublicKey(key)).digest('hex').slice(0, 16)

/** Keys from a private key, which may be missing, and the public ones that are believed beside it. */
export const createModelKeys = (
  privateKey: KeyObject | undefined,
  believed: readonly KeyObject[],
): ModelKeys => {
  const own = privateKey === undefined ? undefined : createPublicKey(privateKey)
  const trusted = new Map([...believed, ...(own === undefined ? [] : [own])].map(key => [keyId(key), key]))
  return {
    publicKey: own === undefined ? undefined : rawPublicKey(own).toString('base64url'),
    sign: text => {
      if (privateKey === undefined || own === undefined) {
        throw invalid('nothing can be signed here: MODELS_SIGNING_KEY is not set, MODELS_PUBLIC_KEYS is')
      }
      const signature = sign(null, Buffer.from(PURPOSE + text), privateKey).toString('base64url')
      return { key: keyId(own), signature }
    },
    problemOf: (text, { key, signature }) => {
      const known = trusted.get(key)
      if (known === undefined)
        return `it is signed by the key ${key}, which is not one of those that are believed`
      const fits = verify(null, Buffer.from(PURPOSE + text), known, Buffer.from(signature, 'base64url'))
      return fits ? undefined : `its signature by the key ${key} does not fit`
    },
  }
}

/**
 * The keys that the settings name. Where they name none, the private key is DATA_DIR/models.key, which is made with mode
 * 0600 when it is first needed. Throws NS_CONFIG_INVALID; for that file, when it is needed.
 */
export const readModelKeys = (config: SectionValues<typeof modelsConfig>, dataDir: string): ModelKeys => {
  const believed = (config.publicKeys ?? []).map(publicKeyOf)
  if (config.signingKey !== undefined) {
    return createModelKeys(privateKeyOf(config.signingKey, 'MODELS_SIGNING_KEY'), believed)
  }
  if (believed.length > 0) return createModelKeys(undefined, believed)
  const path = join(dataDir, 'models.key')
  let own: ModelKeys | undefined
  // Opened when it is first needed: a scorer that finds no models may run where nothing can be written.
  const keys = (): ModelKeys => {
    own ??= createModelKeys(privateKeyOf(readOrCreateKeyFile(path), path), [])
    return own
  }
  return {
    get publicKey() {
      return keys().publicKey
    },
    sign: text => keys().sign(text),
    problemOf: (text, signed) => keys().problemOf(text, signed),
  }
}
