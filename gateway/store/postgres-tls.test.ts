import { describe, expect, it } from '@jest/globals'
import { securityOf } from './postgres-tls.ts'

const HERE = new URL(import.meta.url).pathname

describe('how a connection to Postgres is secured', () => {
  it.each([
    ['postgres://u:p@db.example/ns?sslmode=verify-full', 'verified'],
    [`postgres://u:p@db.example/ns?sslmode=verify-full&sslrootcert=${HERE}`, 'verified'],
    ['postgres://u:p@127.0.0.1:5432/ns', 'plain'],
    ['postgres://u:p@localhost/ns?sslmode=disable', 'plain'],
    ['postgres://u:p@[::1]/ns', 'plain'],
    ['postgres://u:p@db.example/ns', 'open'],
    ['postgres://u:p@localhost/ns?host=db.example', 'open'],
    ['postgres://u:p@127.0.0.1.example/ns', 'open'],
  ])('%s is %s', (address, expected) => {
    expect(securityOf(address)).toBe(expected)
  })

  it.each([
    'sslmode=require',
    'sslmode=prefer',
    'sslmode=no-verify',
    'sslmode=verify-ca',
    'ssl=true',
    'sslmode=verify-full&uselibpqcompat=true',
    'sslmode=verify-full&sslrootcert=/none',
    `sslrootcert=${HERE}`,
  ])('%s is refused, without the password', query => {
    const parse = () => securityOf(`postgres://u:hunter2@db.example/ns?${query}`)
    expect(parse).toThrow(expect.objectContaining({ code: 'NS_CONFIG_INVALID' }))
    expect(parse).not.toThrow(/hunter2/)
  })
})
