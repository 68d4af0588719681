import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const REQUIREMENTS = Array.from({ length: 62 }, (_, i) => i + 1)

/** The files that tests are in which a requirement names, by its number. */
const tested = new Map<number, string[]>(REQUIREMENTS.map(number => [number, []]))
for (const file of readdirSync(import.meta.dirname).toSorted()) {
  if (!file.endsWith('.ts') || file === 'register.test.ts') continue
  const text = readFileSync(join(import.meta.dirname, file), 'utf8')
  const numbers = new Set([...text.matchAll(/['`](\d+): /g)].map(([, number]) => Number(number)))
  for (const number of numbers) tested.get(number)?.push(file.replace(/(?:\.test)?\.ts$/, ''))
}

describe('the register of security requirements', () => {
  it('has each of them as a test that is named by its number', () => {
    expect(REQUIREMENTS.filter(number => tested.get(number)?.length === 0)).toEqual([])
  })

  it('is in the page on security as it is', () => {
    const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| (\d+) \| .+ \| (.+) \|$/gm)].map(([, number, files]) => [
      Number(number),
      files?.split(', '),
    ])
    expect(rows).toEqual([...tested])
  })
})
