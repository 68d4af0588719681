import { isIP } from 'node:net'
import { compileNetworks } from './network.ts'
import type { UpgradeRequest } from './upgrade.ts'

/** Names of networks that proxies may be given by, as for HTTP. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
}

/** What of an address is counted as one: IPv4 as it is, of IPv6 the 64 bits that one client has. */
export const countedOf = (address: string): string => {
  if (isIP(address) !== 6) return address
  return compileNetworks([`${address.split('%')[0]}/64`]).key
}

/**
 * Says where an upgrade comes from. Only the proxies that are trusted may say for whom they ask:
 * the last address that none of them vouches for is the client's.
 */
export const createAddressOf = (trustedProxies: readonly string[]) => {
  const proxies = compileNetworks(trustedProxies.flatMap(name => NAMED[name] ?? name))
  return (remote: string | undefined, { headers }: UpgradeRequest): string => {
    let peer = remote ?? ''
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
    while (proxies.contain(peer, 0)) {
      const before = forwarded.pop()?.trim() ?? ''
      if (isIP(before) === 0) break
      peer = before
    }
    return peer
  }
}
