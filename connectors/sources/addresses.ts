import { isIP, SocketAddress } from 'node:net'

const MAPPED = '::ffff:'

const canonicalV6 = (address: string): string => {
  const text = new SocketAddress({ address, family: 'ipv6' }).address
  const mapped = text.startsWith(MAPPED) ? text.slice(MAPPED.length) : ''
  return isIP(mapped) === 4 ? mapped : text
}

/**
 * An IP address in the one form that entities are keyed by: IPv6 in lower case and compressed (RFC 5952) without a zone,
 * IPv4 mapped into IPv6 as plain IPv4. Null for anything else: host names, empty texts, addresses with a port.
 */
export const ip = (value: unknown): string | null => {
  if (typeof value !== 'string') return null
  switch (isIP(value)) {
    case 4:
      return value
    case 6:
      return canonicalV6(value)
    default:
      return null
  }
}
