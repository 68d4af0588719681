import { describe, expect, it } from '@jest/globals'
import { startOffset } from './positions.ts'

const where = { group: 'g', topic: 't', partition: 1 }
const log = { low: 10, high: 20 }

describe('startOffset', () => {
  it('begins at what is there for a new group, and goes on where it was, the end included', () => {
    expect(startOffset(undefined, log, where)).toBe(10)
    expect(startOffset(10, log, where)).toBe(10)
    expect(startOffset(20, log, where)).toBe(20)
  })

  it('never skips records that are gone, and says how many', () => {
    expect(() => startOffset(7, log, where)).toThrow(
      't-1: 3 offsets (7 to 9) were deleted before g read them',
    )
    expect(() => startOffset(22, log, where)).toThrow('the log ends at 20: 2 offsets are gone')
  })
})
