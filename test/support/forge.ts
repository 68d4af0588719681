import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { createSealer, type Sealer } from '../../gateway/auth/sealing.ts'
import { openStore } from '../../gateway/store/open-store.ts'
import type { Store } from '../../gateway/store/store.ts'
import { readOrCreateKeyFile } from '../../runtime/key-file.ts'
import { silentLog } from '../../runtime/log.ts'

/** Parts of a token, decoded. */
export type Parts = Readonly<Record<string, unknown>>

/** Base64url of a text, or of JSON. */
export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** The JSON of a segment. */
export const decode = (segment = ''): Parts =>
  JSON.parse(Buffer.from(segment, 'base64url').toString()) as Parts

/** A token of any header and claims, signed by a key, whatever its header says. */
export const signWith = (key: KeyObject, header: unknown, claims: unknown): string => {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

/**
 * Makes tokens with the gateway's own key, which only a test can have: so that what is wrong with them is their form or
 * their claims, and not the signature. `good` is one of the gateway's tokens, to begin from.
 */
export const createForge = async (
  { store, sealer }: { readonly store: Pick<Store, 'listSigningKeys'>; readonly sealer: Sealer },
  good: string,
) => {
  const [head, body] = good.split('.')
  const [header, claims] = [decode(head), decode(body)]
  const [key] = await store.listSigningKeys()
  const bytes = key === undefined ? undefined : sealer.open(key.sealed, `signing key ${key.kid}`)
  if (bytes === undefined) throw new Error('the gateway has no key')
  const privateKey = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
  return {
    good,
    header,
    claims,
    privateKey,
    publicKey: createPublicKey(privateKey),
    signed: (changes: Parts, of: unknown = claims) => signWith(privateKey, { ...header, ...changes }, of),
    claiming: (changes: Parts) => signWith(privateKey, header, { ...claims, ...changes }),
  }
}

/** What {@link createForge} makes. */
export type Forge = Awaited<ReturnType<typeof createForge>>

/** A forge with the key of a gateway that runs on the store in `dataDir`. */
export const createForgeOf = async (dataDir: string, good: string): Promise<Forge> => {
  const store = await openStore({ address: join(dataDir, 'gateway.db'), log: silentLog() })
  const sealer = createSealer(readOrCreateKeyFile(join(dataDir, 'gateway.key')))
  try {
    return await createForge({ store, sealer }, good)
  } finally {
    await store.close()
  }
}
