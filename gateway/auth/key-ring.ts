import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { SentinelError } from '../../runtime/errors.ts'
import type { CredentialStore, SigningKey } from '../store/credentials.ts'
import { createJwt, type Jwt } from './jwt.ts'
import type { Sealer } from './sealing.ts'
import { ALGORITHM } from './token-form.ts'

const KID_BYTES = 12

/** How far clocks of replicas may be apart, in ms. */
const SKEW_MS = 30_000

/** A public key as JWKS publishes it (RFC 7517, RFC 8037). */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: typeof ALGORITHM
}

/** The keys that access tokens are signed and verified with, as far as they are known here. */
export interface KeyRing {
  /** Signs and verifies with the key that is in force. */
  signer(): Jwt
  /** Verifies what a key signed; undefined for one that is unknown or retired. Looks nowhere but in memory. */
  verifier(kid: string): Jwt | undefined
  /** The keys that verify, and those that will sign soon. */
  publicKeys(): readonly PublicJwk[]
  /** Takes up keys that other gateways made, forgets retired ones, and makes a new one when it is time. */
  refresh(): Promise<void>
  /** Makes a new key, which signs after the lead; resolves with its id, or undefined when another gateway was faster. */
  rotate(): Promise<string | undefined>
}

interface KeyRingDeps {
  readonly store: Pick<CredentialStore, 'addSigningKey' | 'listSigningKeys' | 'deleteSigningKey'>
  readonly sealer: Sealer
  /** Longest life of a token, in ms: for so long after it has signed its last one a key must verify. */
  readonly tokenLifeMs: number
  /** Age at which a key is replaced, in ms. */
  readonly rotateAfterMs: number
  /** How long a key is published before it signs, in ms: within it every gateway refreshes at least once. */
  readonly leadMs: number
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

interface OpenKey extends SigningKey {
  readonly jwt: Jwt
  readonly jwk: PublicJwk
}

const contextOf = (kid: string) => `signing key ${kid}`

/**
 * Opens the keys of a group of gateways, and makes the first one in a store without any; of several that start at once,
 * one does. Throws NS_CONFIG_INVALID when the keys were sealed with another GATEWAY_KEY, or are none.
 */
export const openKeyRing = async (deps: KeyRingDeps): Promise<KeyRing> => {
  const { store, sealer, now } = deps
  const opened = new Map<string, OpenKey>()
  /** Newest first. */
  let keys: readonly OpenKey[] = []

  const open = async (key: SigningKey): Promise<OpenKey> => {
    const bytes = sealer.open(key.sealed, contextOf(key.kid))
    if (bytes === undefined) {
      throw new SentinelError(
        'NS_CONFIG_INVALID',
        'the signing keys in the store were sealed with another key: give the gateway the GATEWAY_KEY it had before',
      )
    }
    const privateKey = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
    if (privateKey.asymmetricKeyType !== 'ed25519') {
      throw new SentinelError('NS_CONFIG_INVALID', `the signing key ${key.kid} is not an Ed25519 key`)
    }
    const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
    const jwk = { kty: 'OKP', crv: 'Ed25519', x, kid: key.kid, use: 'sig', alg: ALGORITHM } as const
    return { ...key, jwk, jwt: await createJwt(key.kid, privateKey) }
  }

  const make = async (previous: SigningKey | undefined, signsFrom: number): Promise<string | undefined> => {
    const kid = randomBytes(KID_BYTES).toString('base64url')
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      publicKeyEncoding: { type: 'spki', format: 'der' },
    })
    const sealed = sealer.seal(privateKey, contextOf(kid))
    // Later than its predecessor, whatever the clock of the gateway that made that one said.
    const createdAt = Math.max(now(), (previous?.createdAt ?? 0) + 1)
    const isAdded = await store.addSigningKey({ kid, sealed, createdAt, signsFrom }, previous?.kid)
    return isAdded ? kid : undefined
  }

  /** A key is retired when the last token that a predecessor of another one can have signed has expired. */
  const isRetired = (index: number, among: readonly SigningKey[]): boolean => {
    const successor = among[index - 1]
    return successor !== undefined && successor.signsFrom + deps.tokenLifeMs + SKEW_MS <= now()
  }

  const load = async () => {
    const stored = await store.listSigningKeys()
    const kept: OpenKey[] = []
    for (const [index, key] of stored.entries()) {
      if (isRetired(index, stored)) {
        opened.delete(key.kid)
        await store.deleteSigningKey(key.kid)
        continue
      }
      const known = opened.get(key.kid) ?? (await open(key))
      opened.set(key.kid, known)
      kept.push(known)
    }
    keys = kept
  }

  const newest = (): OpenKey => {
    const [first] = keys
    if (first === undefined) throw new SentinelError('NS_INTERNAL', 'the store holds no signing key')
    return first
  }
  const rotate = async () => {
    const kid = await make(newest(), now() + deps.leadMs)
    await load()
    return kid
  }

  await load()
  if (keys.length === 0) {
    await make(undefined, now())
    await load()
  }
  return {
    signer: () => (keys.find(key => key.signsFrom <= now()) ?? newest()).jwt,
    verifier: kid => {
      const index = keys.findIndex(key => key.kid === kid)
      return index < 0 || isRetired(index, keys) ? undefined : keys[index]?.jwt
    },
    publicKeys: () => keys.filter((_, index) => !isRetired(index, keys)).map(({ jwk }) => jwk),
    refresh: async () => {
      await load()
      if (newest().createdAt + deps.rotateAfterMs <= now()) await rotate()
    },
    rotate,
  }
}
