import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { tempDir } from './temp.ts'

const run = promisify(execFile)

/** The last release, which runs on Python 2.7 alone. */
const PACKAGE = 'autobahntestsuite==25.10.1'

const HOME = resolve(import.meta.dirname, '../../.netsentinel')

/** What Autobahn found of one case. */
export interface AutobahnResult {
  /** OK, NON-STRICT, INFORMATIONAL; anything else is a failure. */
  readonly behavior: string
  /** The same of how the connection was closed. */
  readonly behaviorClose: string
}

/** Whether a program is there and is a Python 2.7: what stands on the path may be a stand-in of pyenv's that runs nothing. */
const isPython2 = (program: string): boolean =>
  existsSync(program) &&
  spawnSync(program, ['-c', 'import sys; sys.exit(sys.version_info[:2] != (2, 7))']).status === 0

/** A Python 2.7: what AUTOBAHN_PYTHON names, one on the path, or one of pyenv's; undefined where there is none. */
export const findPython2 = (): string | undefined => {
  const { AUTOBAHN_PYTHON, PATH = '', PYENV_ROOT = join(homedir(), '.pyenv') } = process.env
  const folders = PATH.split(':')
  const roots = [PYENV_ROOT, ...folders.filter(each => basename(each) === 'shims').map(dirname)]
  const installed = roots
    .map(root => join(root, 'versions'))
    .filter(existsSync)
    .flatMap(versions => readdirSync(versions).map(name => join(versions, name, 'bin')))
  const programs = [...folders, ...installed].map(folder => join(folder, 'python2.7'))
  return [...(AUTOBAHN_PYTHON ? [AUTOBAHN_PYTHON] : []), ...programs].find(isPython2)
}

/** Installs Autobahn once, below the repository's data, and returns the folder. */
const install = async (python: string): Promise<string> => {
  const folder = join(HOME, PACKAGE.replace('==', '-'))
  if (existsSync(folder)) return folder
  mkdirSync(HOME, { recursive: true })
  const draft = `${folder}.${process.pid}`
  const options = ['--quiet', '--disable-pip-version-check', '--no-warn-script-location', '--user']
  try {
    await run(python, ['-m', 'pip', 'install', ...options, PACKAGE], {
      env: { ...process.env, PYTHONUSERBASE: draft },
    })
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/**
 * Runs cases of the Autobahn test suite against a WebSocket server that echoes; each result by the case's number. The first
 * run installs the suite, which takes minutes.
 */
export const runAutobahn = async (
  python: string,
  url: string,
  excluded: readonly string[],
): Promise<Readonly<Record<string, AutobahnResult>>> => {
  const outdir = tempDir()
  const folder = await install(python)
  const spec = join(outdir, 'spec.json')
  const servers = [{ agent: 'netsentinel', url }]
  writeFileSync(
    spec,
    JSON.stringify({
      outdir,
      servers,
      cases: ['*'],
      'exclude-cases': excluded,
      'exclude-agent-cases': {},
    }),
  )
  await run(python, ['-m', 'autobahntestsuite.wstest', '-m', 'fuzzingclient', '-s', spec], {
    cwd: outdir,
    env: { ...process.env, PYTHONUSERBASE: folder },
    maxBuffer: 64 * 1_024 * 1_024,
  })
  const index = JSON.parse(readFileSync(join(outdir, 'index.json'), 'utf8')) as {
    netsentinel?: Record<string, AutobahnResult>
  }
  return index.netsentinel ?? {}
}
