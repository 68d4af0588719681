import { BlockList, isIP, SocketAddress } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compileNetworks } from './network.ts'

const contains = (networks: readonly string[], address: string) =>
  compileNetworks(networks).contain(`ip:${address}`, 3)

/** What Node says, whose lists take an IPv4 address mapped into IPv6 for what it is. */
const byNode = (network: string, address: string): boolean => {
  const [base = '', bits = ''] = network.split('/')
  const list = new BlockList()
  list.addSubnet(base, Number(bits), isIP(base) === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

const close = (address: string, bits: number) =>
  // Few bits differ, so that addresses lie in networks often enough.
  fc.integer({ min: 0, max: bits }).map(prefix => `${address}/${prefix}`)
const v4 = fc.constantFrom('10.0.0.1', '10.0.0.129', '10.1.0.1', '192.0.2.7', '255.255.255.255', '0.0.0.0')
const v6 = fc.oneof(
  fc.constantFrom('2001:db8::1', '2001:db8::8000:0:0:1', '2001:db8:1::', '::', '::1', 'fe80::1:2', 'ffff::'),
  fc.ipV6().filter(address => !address.includes('.')),
)

describe('networks', () => {
  it('contain what Node says they do', () => {
    fc.assert(
      fc.property(
        v4.chain(address => close(address, 32)),
        v4,
        (network, address) => {
          expect(contains([network], address)).toBe(byNode(network, address))
        },
      ),
    )
    fc.assert(
      fc.property(
        v6.chain(address => close(address, 128)),
        v6,
        (network, address) => {
          const canonical = new SocketAddress({ address, family: 'ipv6' }).address
          expect(contains([network], address)).toBe(byNode(network, address))
          expect(contains([network], canonical)).toBe(byNode(network, address))
        },
      ),
    )
  })

  it.each([
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::/0', '10.1.2.3', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['0.0.0.0/0', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['2001:DB8::/32', '2001:db8::1', true],
  ])('%s holds %s: %j', (network, address, expected) => {
    expect(contains([network], address)).toBe(expected)
  })

  it.each([
    '',
    '10.0.0',
    '10.0.0.0.0',
    '10.0.0.256',
    '10.0..1',
    '10.0.0.1 ',
    'host',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    ':1:2:3:4:5:6:7',
    '1::2::3',
    '1:2:3:4:5:6:7:',
    ':::',
    '12345::',
    '::g',
    '::10.0.0',
    '1:2:3:4:5:6:7:8::',
  ])('do not hold what is no address: %j', text => {
    expect(isIP(text)).toBe(0)
    expect(contains(['0.0.0.0/0', '::/0'], text)).toBe(false)
  })

  it('have the same key in every spelling and order', () => {
    const { key } = compileNetworks(['10.0.0.0/8', '2001:db8::/32'])
    expect(compileNetworks(['2001:0db8:0::1/32', '10.9.9.9/8', '::ffff:10.0.0.0/104']).key).toBe(key)
    expect(compileNetworks(['10.0.0.0/9', '2001:db8::/32']).key).not.toBe(key)
  })
})
