import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../runtime/errors.ts'

const run = promisify(execFile)

const OUTPUT_BYTES = 64 * 1_048_576

const HOME = resolve(import.meta.dirname, '../../.netsentinel')

/**
 * Why a package of Python (`name==version`) cannot be had, or where its folder of packages is, for PYTHONPATH. It is
 * installed once, below the repository's data.
 */
export const findPythonPackage = async (
  name: string,
): Promise<{ readonly missing: string } | { readonly folder: string }> => {
  const folder = join(HOME, name.replace('==', '-'))
  if (existsSync(folder)) return { folder }
  mkdirSync(HOME, { recursive: true })
  const draft = `${folder}.${process.pid}`
  const options = ['--quiet', '--disable-pip-version-check', '--target', draft]
  try {
    await run('python3', ['-m', 'pip', 'install', ...options, name])
    renameSync(draft, folder)
    return { folder }
  } catch (error) {
    return { missing: messageOf(error) }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

interface RunOptions {
  readonly cwd?: string
}

/** Runs Python with what is in such a folder, and resolves with what it prints; rejects with what `execFile` does. */
export const runPython = (folder: string, args: readonly string[], options: RunOptions = {}) =>
  run('python3', args, {
    ...options,
    env: { ...process.env, PYTHONPATH: folder, NO_COLOR: '1' },
    maxBuffer: OUTPUT_BYTES,
  })
