import { describe, expect, it } from '@jest/globals'
import { countedOf, createAddressOf } from './peer.ts'

const peer = (trusted: readonly string[], remote: string | undefined, forwarded?: string) =>
  createAddressOf(trusted)(remote, {
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  })

describe('where an upgrade comes from', () => {
  it.each([
    [[], '192.0.2.1', undefined, '192.0.2.1'],
    [[], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    [['10.0.0.0/8'], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    [['10.0.0.0/8'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '10.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '10.0.0.1', '203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [['10.0.0.0/8'], '10.0.0.1', 'nonsense', '10.0.0.1'],
    [['10.0.0.0/8'], '10.0.0.1', undefined, '10.0.0.1'],
    [['loopback'], '::1', '203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ] as const)('of the proxies %j is, for %s with %j, %s', (trusted, remote, forwarded, expected) => {
    expect(peer(trusted, remote, forwarded)).toBe(expected)
  })

  it('is counted by networks of 64 bits when it is IPv6', () => {
    expect(countedOf('2001:db8::1')).toBe(countedOf('2001:db8::2'))
    expect(countedOf('2001:db8::1')).not.toBe(countedOf('2001:db8:0:1::1'))
    expect(countedOf('fe80::1%eth0')).toBe(countedOf('fe80::2'))
    expect(countedOf('192.0.2.1')).toBe('192.0.2.1')
  })
})
