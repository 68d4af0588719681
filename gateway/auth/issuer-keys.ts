import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { IssuerAlgorithm } from './issuer-token.ts'
import { createVerifier, type Verifier } from './jwt.ts'

const TIMEOUT_MS = 5_000
const MAX_BYTES = 262_144
const MAX_KEYS = 64
const REFRESH_MS = 10 * 60_000
/** However many tokens name an unknown key, the issuer is asked once in so long. */
const REFETCH_MS = 30_000
const MIN_RSA_BITS = 2_048

const jwks = z.object({ keys: z.array(z.looseObject({ kid: z.string().optional() })).max(MAX_KEYS) })
const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.url() })

const fits = (key: KeyObject, algorithm: IssuerAlgorithm): boolean => {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (algorithm) {
    case 'RS256':
      return key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS
    case 'ES256':
      return key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1'
    case 'EdDSA':
      return key.asymmetricKeyType === 'ed25519'
  }
}

const isLoopback = ({ hostname }: URL) => ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)

const fetchJson = async (address: string): Promise<unknown> => {
  const url = new URL(address)
  if (url.protocol !== 'https:' && !isLoopback(url)) throw new Error(`${url.host} is not asked without TLS`)
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`${url.host} answered ${response.status}`)
  const body = Buffer.from(await response.arrayBuffer())
  if (body.length > MAX_BYTES) throw new Error(`${url.host} answered with ${body.length} bytes`)
  return JSON.parse(body.toString('utf8'))
}

interface IssuerKeysDeps {
  /** Exactly as the issuer spells itself in `iss`. */
  readonly issuer: string
  /** Address of its keys; what it publishes under `/.well-known/openid-configuration` when not given. */
  readonly jwksUrl: string | undefined
  readonly algorithm: IssuerAlgorithm
  readonly log: Log
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** The keys of an issuer. */
export interface IssuerKeys {
  /** What verifies the tokens of a key; undefined when the issuer has none of this id. Throws NS_SERVICE_UNREACHABLE. */
  verifier(kid: string): Promise<Verifier | undefined>
  /** What is wrong with what is known, if anything; asks the issuer where nothing is. Never throws. */
  problem(): Promise<string | undefined>
}

/**
 * Keeps the keys of one issuer, whose address is configured: nothing in a token decides whom the gateway asks. While the
 * issuer is away its last keys go on to hold.
 */
export const createIssuerKeys = (deps: IssuerKeysDeps): IssuerKeys => {
  const { issuer, algorithm, log, now } = deps
  let verifiers: ReadonlyMap<string, Verifier> | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  let problem: string | undefined
  let fetching: Promise<void> | undefined

  const findJwksUrl = async (): Promise<string> => {
    if (deps.jwksUrl !== undefined) return deps.jwksUrl
    const found = discovery.parse(
      await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`),
    )
    if (found.issuer !== issuer) throw new Error('the issuer calls itself by another name')
    return found.jwks_uri
  }
  const load = async () => {
    const { keys } = jwks.parse(await fetchJson(await findJwksUrl()))
    const next = new Map<string, Verifier>()
    for (const jwk of keys) {
      const isForThis = jwk['use'] !== 'enc' && (jwk['alg'] === undefined || jwk['alg'] === algorithm)
      if (jwk.kid === undefined || !isForThis || 'd' in jwk || jwk['kty'] === 'oct') continue
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
      if (fits(key, algorithm)) next.set(jwk.kid, await createVerifier(key, algorithm))
    }
    verifiers = next
    problem = undefined
  }
  const refresh = (): Promise<void> => {
    fetching ??= load()
      .catch((error: unknown) => {
        problem = `the issuer's keys: ${messageOf(error)}`
        log.warn({ problem }, 'the keys of the issuer cannot be had')
      })
      .finally(() => {
        triedAt = now()
        fetching = undefined
      })
    return fetching
  }

  return {
    verifier: async kid => {
      const isUnknown = verifiers?.get(kid) === undefined
      if (now() - triedAt >= (isUnknown ? REFETCH_MS : REFRESH_MS) || fetching !== undefined) await refresh()
      if (verifiers === undefined) throw new SentinelError('NS_SERVICE_UNREACHABLE', problem ?? 'no keys')
      return verifiers.get(kid)
    },
    problem: async () => {
      if (verifiers === undefined && now() - triedAt >= REFETCH_MS) await refresh()
      return problem
    },
  }
}
