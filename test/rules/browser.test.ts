import { posix } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readText } from './files.ts'
import { importsOf } from './import-rules.ts'

/** What a file needs when it runs: its imports but for those of types. */
const neededBy = (path: string): string[] =>
  importsOf(readText(path).replaceAll(/^import type [^']*'[^']*'$/gm, ''))

/** Everything that a file pulls in, directly or not. */
const closureOf = (path: string, found = new Set<string>()): Set<string> => {
  for (const specifier of neededBy(path)) {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier
    if (found.has(target)) continue
    found.add(target)
    if (specifier.startsWith('.')) closureOf(target, found)
  }
  return found
}

describe('the client of a page', () => {
  it('needs nothing of Node and no package', () => {
    const found = [...closureOf('gateway/client/browser.ts')]
    expect(found).toContain('gateway/client/client.ts')
    expect(found.filter(target => !target.endsWith('.ts'))).toEqual([])
  })
})
