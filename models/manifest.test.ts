import { describe, expect, it } from '@jest/globals'
import { parseManifest } from './manifest.ts'
import { createMemoryDetector } from './memory-detector.ts'

const { manifest } = createMemoryDetector()

describe('parseManifest', () => {
  it('reads what was written', () => {
    expect(parseManifest(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest)
  })

  it.each([
    ['no object', null],
    ['an unknown key', { ...manifest, extra: 1 }],
    ['a threshold above 1', { ...manifest, threshold: 1.5 }],
    ['a hash that is none', { ...manifest, sha256: 'abc' }],
    ['a missing version', { ...manifest, version: '' }],
  ])('refuses %s', (_, value) => {
    expect(() => parseManifest(value)).toThrow(expect.objectContaining({ code: 'NS_MODEL_REFUSED' }))
  })
})
