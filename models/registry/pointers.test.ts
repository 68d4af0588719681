import { describe, expect, it } from '@jest/globals'
import { pointAt, stepBack, stepsBack } from './pointers.ts'
import type { Pointer } from './records.ts'

const step = { at: 1, reason: 'because' }

const promote = (current: Pointer | undefined, version: string, floor = 0): Pointer =>
  pointAt(current, { ...step, role: 'champion', version, floor })

const promoteAll = (...versions: readonly string[]): Pointer => {
  const [first = '', ...rest] = versions
  return rest.reduce<Pointer>((pointer, version) => promote(pointer, version), promote(undefined, first))
}

describe('a pointer', () => {
  it('counts its moves, from above what was in force without it', () => {
    const first = promote(undefined, 'a', 7)
    expect(first).toMatchObject({ version: 'a', sequence: 8, before: [] })
    expect(promote(first, 'b', 7)).toMatchObject({ sequence: 9, before: [{ version: 'a', sequence: 8 }] })
    expect(promote(first, 'b', 20).sequence).toBe(21)
  })

  it('steps back through those before it, each time one further, and on from there', () => {
    const c = promoteAll('a', 'b', 'c')
    expect(stepsBack(c)).toEqual(['a', 'b'])
    const b = stepBack(c, step)
    expect(b).toMatchObject({ version: 'b', sequence: 4, back: true })
    const a = stepBack(b, step)
    expect(a).toMatchObject({ version: 'a', sequence: 5 })
    expect(() => stepBack(a, step)).toThrow('there is no champion before a')
    const d = promote(b, 'd')
    expect(stepBack(d, step).version).toBe('b')
  })

  it('comes back to a version that was stepped back from when it is promoted again', () => {
    const back = stepBack(promoteAll('a', 'b'), step)
    expect(stepBack(promote(back, 'b'), step).version).toBe('a')
  })

  it('forgets its oldest moves', () => {
    const versions = Array.from({ length: 60 }, (_, i) => `v${i}`)
    const last = promoteAll(...versions)
    expect(last.before).toHaveLength(20)
    expect(last.sequence).toBe(60)
    expect(stepBack(last, step).version).toBe('v58')
  })
})
