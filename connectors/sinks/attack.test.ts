import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { isKnownTechnique, techniqueOf } from './attack.ts'

describe('techniqueOf', () => {
  it('resolves a sub-technique with its parent and the tactics of both', () => {
    expect(techniqueOf('T1053.003')).toEqual({
      technique: {
        id: 'T1053',
        name: 'Scheduled Task/Job',
        url: 'https://attack.mitre.org/techniques/T1053/',
      },
      subTechnique: {
        id: 'T1053.003',
        name: 'Cron',
        url: 'https://attack.mitre.org/techniques/T1053/003/',
      },
      tactics: [
        expect.objectContaining({ id: 'TA0002', name: 'Execution' }),
        expect.objectContaining({ id: 'TA0003', name: 'Persistence' }),
        expect.objectContaining({ id: 'TA0004', name: 'Privilege Escalation' }),
      ],
    })
  })

  it('keeps an id of a newer release, with the parent that it knows', () => {
    expect(techniqueOf('T1110.999')).toMatchObject({
      technique: { name: 'Brute Force' },
      subTechnique: { id: 'T1110.999' },
      tactics: [],
    })
  })

  it.each(['', 'T1', 'T1110.1', 'TA0001', 'toString', '__proto__'])('refuses %p', id => {
    expect(techniqueOf(id)).toBeUndefined()
    expect(isKnownTechnique(id)).toBe(false)
  })
})

describe('the table', () => {
  const folder = new URL('../sources/', import.meta.url)
  const spelt = readdirSync(folder)
    .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .flatMap(name => readFileSync(new URL(name, folder), 'utf8').match(/\bT1\d{3}(?:\.\d{3})?\b/g) ?? [])

  it('knows every technique that a source spells, and its parent', () => {
    expect(spelt.length).toBeGreaterThan(20)
    const parents = spelt.map(id => id.slice(0, 5))
    expect([...spelt, ...parents].filter(id => !isKnownTechnique(id))).toEqual([])
  })
})
