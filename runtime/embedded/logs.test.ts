import { appendFileSync, closeSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { tempDir } from '../../test/support/temp.ts'
import { openLog, tailOf, trimLog } from './logs.ts'

describe('the log of a child', () => {
  it('is emptied when it is too large, while its writer goes on', () => {
    const file = join(tempDir(), 'log')
    const writer = openLog(file)
    writeSync(writer, 'x'.repeat(100))
    trimLog(file, 100)
    expect(readFileSync(file, 'utf8')).toHaveLength(100)
    writeSync(writer, 'y')
    trimLog(file, 100)
    writeSync(writer, 'after')
    closeSync(writer)
    expect(readFileSync(file, 'utf8')).toBe('after')
    expect(readFileSync(`${file}.1`, 'utf8')).toBe(`${'x'.repeat(100)}y`)
  })

  it('may be gone', () => {
    expect(() => trimLog(join(tempDir(), 'none'))).not.toThrow()
    expect(tailOf(join(tempDir(), 'none'))).toBe('')
  })

  it('is read from its end', () => {
    const file = join(tempDir(), 'log')
    writeFileSync(file, 'start')
    appendFileSync(file, 'x'.repeat(64 * 1024 - 3))
    appendFileSync(file, 'end')
    expect(tailOf(file)).toHaveLength(64 * 1024)
    expect(tailOf(file)).toMatch(/^x+end$/)
  })
})
