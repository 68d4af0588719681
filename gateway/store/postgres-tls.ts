import { accessSync, constants } from 'node:fs'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

/** Settings of an address that name files for TLS. */
const FILES = ['sslrootcert', 'sslcert', 'sslkey']

/** Settings that ask for TLS whose other end could be anybody, or that another release of the client reads otherwise. */
const UNSURE = ['ssl', 'uselibpqcompat', 'sslnegotiation']

const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d+){3}|\[::1\]|)$/.test(host)

const refuse = (text: string, cause?: unknown) =>
  new SentinelError('NS_CONFIG_INVALID', `GATEWAY_STORE: ${text}`, { cause })

/**
 * How a connection to Postgres is secured: `verified` by TLS with the server's certificate and name checked, `plain` to
 * this very host, or `open`, in plain text over a network. Nothing in between is taken: TLS with nobody knows whom looks
 * like safety. Throws NS_CONFIG_INVALID, without the address, which holds a password.
 */
export const securityOf = (address: string): 'verified' | 'plain' | 'open' => {
  const { hostname, searchParams } = new URL(address)
  const mode = searchParams.get('sslmode') ?? 'disable'
  const unsure = UNSURE.find(name => searchParams.has(name))
  if (unsure !== undefined) throw refuse(`${unsure} is not taken; use sslmode=verify-full`)
  if (mode !== 'verify-full' && mode !== 'disable') {
    throw refuse(
      'sslmode is verify-full (TLS, with sslrootcert=FILE for an authority of your own) or disable',
    )
  }
  const files = FILES.flatMap(name => searchParams.getAll(name))
  if (mode === 'disable') {
    if (files.length > 0) throw refuse('a certificate is named, but not sslmode=verify-full')
    return isLoopback(searchParams.get('host') ?? hostname) ? 'plain' : 'open'
  }
  for (const file of files) {
    try {
      accessSync(file, constants.R_OK)
    } catch (cause) {
      throw refuse(`a certificate cannot be read: ${messageOf(cause)}`, cause)
    }
  }
  return 'verified'
}
