import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'

const ROOT = resolve(import.meta.dirname, '../..')

/** Runs `netsentinel generate --check` with no settings, and resolves with what it printed. */
const stale = async (): Promise<string> => {
  try {
    const args = ['--disable-warning=ExperimentalWarning', 'main.ts', 'generate', '--check']
    const env = { DATA_DIR: resolve(ROOT, '.netsentinel') }
    return (await promisify(execFile)(process.execPath, args, { cwd: ROOT, env })).stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return stdout + stderr
  }
}

describe('the generated files', () => {
  it('are what `npm run generate` writes: run it when they are not', async () => {
    expect(await stale()).toBe('')
  })
})
