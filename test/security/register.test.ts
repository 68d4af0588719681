import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const REQUIREMENTS = 62

/** Requirements that no test here is named by: where they are held, or why they are not yet. */
const ELSEWHERE: Readonly<Record<number, string>> = {}

const tested = (): Set<number> => {
  const texts = readdirSync(import.meta.dirname)
    .filter(name => name.endsWith('.ts') && name !== 'register.test.ts')
    .map(name => readFileSync(join(import.meta.dirname, name), 'utf8'))
  const names = texts.flatMap(text => [...text.matchAll(/['`](\d+): /g)])
  return new Set(names.map(([, number]) => Number(number)))
}

describe('the register of security requirements', () => {
  it('has each of them as a test that is named by its number, or says where it is held or why it is not', () => {
    const numbers = new Set([...tested(), ...Object.keys(ELSEWHERE).map(Number)])
    const missing = Array.from({ length: REQUIREMENTS }, (_, i) => i + 1).filter(
      number => !numbers.has(number),
    )
    expect(missing).toEqual([])
  })

  it('does not excuse what is tested', () => {
    expect(Object.keys(ELSEWHERE).filter(number => tested().has(Number(number)))).toEqual([])
  })
})
