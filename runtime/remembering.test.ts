import { describe, expect, it } from '@jest/globals'
import { remembering } from './remembering.ts'

const counted = () => {
  const asked: string[] = []
  const lengthOf = remembering(text => {
    asked.push(text)
    return text.length === 0 ? null : text.length
  })
  return { asked, lengthOf }
}

describe('remembering', () => {
  it('works a short text out once, null included', () => {
    const { asked, lengthOf } = counted()
    expect(['ab', 'ab', '', '', 'ab'].map(lengthOf)).toEqual([2, 2, null, null, 2])
    expect(asked).toEqual(['ab', ''])
  })

  it('works a long text out each time', () => {
    const { asked, lengthOf } = counted()
    const long = 'x'.repeat(257)
    expect([lengthOf(long), lengthOf(long)]).toEqual([257, 257])
    expect(asked).toHaveLength(2)
  })

  it('forgets when it knows too many', () => {
    const { asked, lengthOf } = counted()
    for (let i = 0; i < 4097; i++) lengthOf(`text ${i}`)
    lengthOf('text 4096')
    expect(asked).toHaveLength(4097)
    lengthOf('text 0')
    expect(asked).toHaveLength(4098)
  })

  it('tells texts apart that differ in half a surrogate pair', () => {
    const { lengthOf } = counted()
    expect([lengthOf('\ud800'), lengthOf('\ud801a'), lengthOf('\ufffd')]).toEqual([1, 2, 1])
    const code = remembering(text => text.charCodeAt(0))
    expect(['\ud800', '\ud801', '\ud800'].map(code)).toEqual([0xd800, 0xd801, 0xd800])
  })
})
