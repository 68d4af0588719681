import { describe, expect, it } from '@jest/globals'
import { createAge } from './age.ts'

const record = (timestamp: number) => ({
  topic: 't',
  partition: 0,
  offset: 0,
  timestamp,
  key: null,
  value: null,
  headers: {},
})

describe('the age of the next record', () => {
  it('is nothing when there is none, and unknown before anything was seen', () => {
    const age = createAge(() => 9_000)
    expect(age.seconds(3)).toBeUndefined()
    expect(age.seconds(0)).toBe(0)
  })

  it('is that of the first record in hand', () => {
    const age = createAge(() => 9_000)
    age.fetched([record(5_000), record(8_000)])
    expect(age.seconds(2)).toBe(4)
  })

  it('is at most that of the last record committed, until the next one is fetched', () => {
    const age = createAge(() => 9_000)
    const records = [record(5_000), record(6_000)]
    age.fetched(records)
    age.committed(records, false)
    expect(age.seconds(1)).toBe(3)
    age.fetched([record(8_500)])
    expect(age.seconds(1)).toBe(0.5)
  })

  it('is at most the time since nothing was left to read', () => {
    let now = 100_000
    const age = createAge(() => now)
    age.fetched([record(5_000)])
    age.committed([record(5_000)], true)
    now = 102_000
    expect(age.seconds(1)).toBe(2)
    now = 200_000
    expect(age.seconds(0)).toBe(0)
    now = 201_000
    expect(age.seconds(1)).toBe(1)
  })

  it('does not go back with a record that was stamped before others, nor below 0', () => {
    const age = createAge(() => 9_000)
    age.committed([record(8_000)], false)
    age.committed([record(2_000)], false)
    expect(age.seconds(1)).toBe(1)
    age.fetched([record(12_000)])
    expect(age.seconds(1)).toBe(0)
  })
})
