import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { SentinelError } from '../../runtime/errors.ts'
import type { Store } from '../store/store.ts'
import type { Sealer } from './sealing.ts'

/** A signing key in the clear, as it is in memory only. */
export interface OpenKey {
  readonly kid: string
  /** Ed25519 private key, PKCS #8 in DER. */
  readonly privateKey: Buffer
}

const KID_BYTES = 12

const contextOf = (kid: string) => `signing key ${kid}`

interface SigningKeysDeps {
  readonly store: Pick<Store, 'addFirstSigningKey' | 'listSigningKeys'>
  readonly sealer: Sealer
  readonly now: () => number
}

/**
 * The signing keys of the group of gateways, newest first. The first gateway that starts on a store makes one; of
 * several that start at once, one does. Throws NS_CONFIG_INVALID when they were sealed with another GATEWAY_KEY.
 */
export const loadSigningKeys = async ({
  store,
  sealer,
  now,
}: SigningKeysDeps): Promise<readonly [OpenKey, ...OpenKey[]]> => {
  if ((await store.listSigningKeys()).length === 0) {
    const kid = randomBytes(KID_BYTES).toString('base64url')
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      publicKeyEncoding: { type: 'spki', format: 'der' },
    })
    await store.addFirstSigningKey({ kid, sealed: sealer.seal(privateKey, contextOf(kid)), createdAt: now() })
  }
  const [first, ...rest] = (await store.listSigningKeys()).map(({ kid, sealed }) => {
    const privateKey = sealer.open(sealed, contextOf(kid))
    if (privateKey === undefined) {
      throw new SentinelError(
        'NS_CONFIG_INVALID',
        'the signing keys in the store were sealed with another key: give the gateway the GATEWAY_KEY it had before',
      )
    }
    return { kid, privateKey }
  })
  if (first === undefined) throw new SentinelError('NS_INTERNAL', 'the store holds no signing key')
  return [first, ...rest]
}
