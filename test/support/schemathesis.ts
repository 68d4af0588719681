import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPythonPackage, runPython } from './python-package.ts'
import { tempDir } from './temp.ts'

/**
 * Nothing is learnt from answers: an id that was found in one could be that of the caller, who would be locked out for the
 * rest of the run.
 */
const CONFIG = `
[phases.coverage]
unexpected-methods = ["PUT", "TRACE", "QUERY"]
[phases.coverage.extra-data-sources]
responses = false
[phases.fuzzing.extra-data-sources]
responses = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]
`

/** Where schemathesis is. */
export const findSchemathesis = () => findPythonPackage('schemathesis==4.32.5')

/** What schemathesis is run on. */
export interface SchemathesisRun {
  readonly folder: string
  readonly url: string
  /** The OpenAPI document. */
  readonly document: object
  readonly token: string
  /** Which operations, what is tried with them, and how many examples of each. */
  readonly options: readonly string[]
}

/** Runs it, always with the same examples, and resolves with what it prints; rejects with that when it finds something. */
export const runSchemathesis = async ({ folder, url, document, token, options }: SchemathesisRun) => {
  const cwd = tempDir()
  writeFileSync(join(cwd, 'openapi.json'), JSON.stringify(document))
  writeFileSync(join(cwd, 'schemathesis.toml'), CONFIG)
  const args = [
    '--header',
    `Authorization: Bearer ${token}`,
    '--generation-deterministic',
    '--no-shrink',
    '--continue-on-failure',
    ...options,
  ]
  try {
    const command = ['-m', 'schemathesis.cli', 'run', 'openapi.json', '--url', url, ...args]
    const { stdout } = await runPython(folder, command, { cwd })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`schemathesis found something:\n${stdout}${stderr}`, { cause: error })
  }
}
