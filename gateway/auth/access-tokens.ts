import { createPrivateKey, createPublicKey } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import { codeOf } from '../../runtime/errors.ts'
import { type AccessClaims, checkClaims } from './claims.ts'
import type { Refusal } from './provider.ts'
import { isRefusal } from './provider.ts'
import type { OpenKey } from './signing-keys.ts'
import { ACCESS_TOKEN_TYPE, ALGORITHM, parseTokenForm } from './token-form.ts'

/** Signs and verifies access tokens. */
export interface AccessTokens {
  /** Signs with the newest key. */
  sign(claims: AccessClaims): string
  /** The claims of a good token; never throws. */
  verify(token: string): AccessClaims | Refusal
}

interface AccessTokensDeps {
  /** Newest first; at least one. */
  readonly keys: readonly [OpenKey, ...OpenKey[]]
  /** Lifetime of new tokens, in s; none that claims a longer one is taken. */
  readonly maxLifetimeS: number
  readonly now: () => number
}

/**
 * One key's signer and verifier. @fastify/jwt is bound to an application and keeps a verifier ready only for a fixed
 * key; so each key has an application of its own, which serves nothing, and keys can come while the gateway runs.
 */
const createJwt = async ({ kid, privateKey }: OpenKey) => {
  const app = Fastify({ logger: false })
  const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
  await app.register(fastifyJwt, {
    secret: {
      private: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      public: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    },
    sign: { algorithm: ALGORITHM, header: { alg: ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid } },
    // The cache would let one token's answer stand for another's when their keys collide (GHSA-rp9m-7r4c-75qg).
    verify: { algorithms: [ALGORITHM], checkTyp: ACCESS_TOKEN_TYPE, cache: false },
  })
  await app.ready()
  return app.jwt
}

const refusalOf = (error: unknown): Refusal => {
  switch (codeOf(error)) {
    case 'FAST_JWT_INVALID_SIGNATURE':
    case 'FAST_JWT_MISSING_SIGNATURE':
      return { refused: 'signature' }
    case 'FAST_JWT_EXPIRED':
      return { refused: 'expired' }
    case 'FAST_JWT_INACTIVE':
    case 'FAST_JWT_INVALID_CLAIM_TYPE':
    case 'FAST_JWT_INVALID_CLAIM_VALUE':
      return { refused: 'claims' }
    default:
      return { refused: 'malformed' }
  }
}

/** Prepares the keys. A token goes through its form, its signature and its claims, in this order. */
export const createAccessTokens = async (deps: AccessTokensDeps): Promise<AccessTokens> => {
  const [newest] = deps.keys
  const signer = await createJwt(newest)
  const verifiers = new Map([[newest.kid, signer]])
  for (const key of deps.keys.slice(1)) verifiers.set(key.kid, await createJwt(key))
  return {
    sign: claims => signer.sign(claims),
    verify: token => {
      const form = parseTokenForm(token)
      if (isRefusal(form)) return form
      const verifier = verifiers.get(form.kid)
      if (verifier === undefined) return { refused: 'signature' }
      try {
        const payload: unknown = verifier.verify(token)
        return checkClaims(payload, { now: deps.now(), maxLifetimeS: deps.maxLifetimeS })
      } catch (error) {
        return refusalOf(error)
      }
    },
  }
}
