import { createPublicKey, type KeyObject } from 'node:crypto'
import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import { ACCESS_TOKEN_TYPE, ALGORITHM } from './token-form.ts'

/** One key's signer and verifier. */
export interface Jwt {
  sign(claims: object): string
  /** The payload of a token that this key signed; throws otherwise, with a code of fast-jwt. */
  verify(token: string): unknown
}

/**
 * Makes the signer and verifier of a key. @fastify/jwt is bound to an application and keeps a verifier ready only for a
 * fixed key; so each key has an application of its own, which serves nothing, and keys can come while the gateway runs.
 */
export const createJwt = async (kid: string, privateKey: KeyObject): Promise<Jwt> => {
  const app = Fastify({ logger: false })
  await app.register(fastifyJwt, {
    secret: {
      private: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      public: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
    },
    sign: { algorithm: ALGORITHM, header: { alg: ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid } },
    // The cache would let one token's answer stand for another's when their keys collide (GHSA-rp9m-7r4c-75qg).
    verify: { algorithms: [ALGORITHM], checkTyp: ACCESS_TOKEN_TYPE, cache: false },
  })
  await app.ready()
  return { sign: claims => app.jwt.sign(claims), verify: token => app.jwt.verify(token) }
}

/** The payload of a token that a key signed; undefined of any other. */
export type Verifier = (token: string) => unknown

/** Makes the verifier of somebody else's public key. Claims are not its matter. */
export const createVerifier = async (
  key: KeyObject,
  algorithm: 'RS256' | 'ES256' | 'EdDSA',
): Promise<Verifier> => {
  const app = Fastify({ logger: false })
  await app.register(fastifyJwt, {
    secret: { public: key.export({ type: 'spki', format: 'pem' }).toString(), private: '' },
    verify: { algorithms: [algorithm], cache: false, ignoreExpiration: true, ignoreNotBefore: true },
  })
  await app.ready()
  return token => {
    try {
      return app.jwt.verify(token)
    } catch {
      // Whatever it was, this key has not signed this token.
      return undefined
    }
  }
}
