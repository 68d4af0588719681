import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createSealer } from './sealing.ts'

describe('sealing', () => {
  const sealer = createSealer('k'.repeat(32))

  it('opens what it sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, context) => {
        expect(sealer.open(sealer.seal(text, context), context)?.toString()).toBe(
          Buffer.from(text).toString(),
        )
      }),
    )
  })

  it('does not open for another context, another key, or with a bit changed', () => {
    const sealed = sealer.seal('secret', 'a')
    expect(sealer.open(sealed, 'b')).toBeUndefined()
    expect(createSealer('K'.repeat(32)).open(sealed, 'a')).toBeUndefined()
    for (let bit = 0; bit < Buffer.from(sealed, 'base64url').length * 8; bit += 1) {
      const bytes = Buffer.from(sealed, 'base64url')
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(sealer.open(bytes.toString('base64url'), 'a')).toBeUndefined()
    }
    expect(sealer.open('', 'a')).toBeUndefined()
  })

  it('never seals the same text the same way', () => {
    expect(sealer.seal('secret', 'a')).not.toBe(sealer.seal('secret', 'a'))
  })
})
