import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'

const made: string[] = []

/** Makes an empty directory that is removed when the test file ends. */
export const tempDir = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'netsentinel-test-'))
  made.push(directory)
  return directory
}

/** Writes a program for `sh` into a directory and returns its path: a stand-in for one of the machine's. */
export const fakeProgram = (directory: string, name: string, script: string): string => {
  const path = join(directory, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})
