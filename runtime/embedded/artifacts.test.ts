import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { until } from '../../test/support/services.ts'
import { fakeProgram, tempDir } from '../../test/support/temp.ts'
import { silentLog } from '../log.ts'
import { ensureArtifacts } from './artifacts.ts'

/** Does what Maven does with pom.xml: fills the directory that -Dlib names. */
const FETCH = `
[ "$1" = --version ] && exit
for arg; do case $arg in -Dlib=*) lib=\${arg#-Dlib=};; esac; done
echo fetched >>"$(dirname "$0")/fetches"
mkdir -p "$lib/kafka" "$lib/registry" "$lib/redis"
touch "$lib/registry/apicurio-registry-app-0-runner.jar"
for p in linux-amd64 linux-arm64 linux-386 darwin-amd64 darwin-arm64; do
  touch "$lib/redis/redis-server-$p"; chmod 777 "$lib/redis/redis-server-$p"
done
`

const setUp = (script = FETCH) => {
  const bin = tempDir()
  const libDir = join(tempDir(), 'lib')
  const abort = new AbortController()
  const deps = {
    libDir,
    logFile: join(bin, 'maven.log'),
    tools: { java: 'java', mvn: fakeProgram(bin, 'mvn', script), redisServer: 'redis-server' },
    log: silentLog(),
    signal: abort.signal,
  }
  const fetches = () => {
    const file = join(bin, 'fetches')
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0
  }
  return { deps, libDir, abort, fetches }
}

const failing = (output: string) => `[ "$1" = --version ] && exit\ncat <<'END'\n${output}\nEND\nexit 1`

describe('the files of the services', () => {
  it('are fetched by the first start and found by the next, which needs no Maven', async () => {
    const { deps, libDir, fetches } = setUp()
    const artifacts = await ensureArtifacts(deps)
    expect(artifacts.registryJar).toMatch(/-runner\.jar$/)
    expect(artifacts.redisBinaries).toHaveLength(1)
    expect(statSync(artifacts.redisBinaries[0] ?? '').mode & 0o777).toBe(0o755)
    expect(readdirSync(libDir)).toHaveLength(1)
    const without = { ...deps, tools: { ...deps.tools, mvn: '/nowhere/mvn' } }
    expect(await ensureArtifacts(without)).toEqual(artifacts)
    expect(fetches()).toBe(1)
  })

  it('are fetched again when another version is asked for', async () => {
    const { deps, libDir, fetches } = setUp()
    await ensureArtifacts(deps)
    const pom = join(tempDir(), 'pom.xml')
    writeFileSync(pom, '<project/>')
    await ensureArtifacts({ ...deps, pom })
    expect(fetches()).toBe(2)
    expect(readdirSync(libDir)).toHaveLength(2)
  })

  it('are fetched again after a fetch that was cut short, and its remains are removed', async () => {
    const { deps, libDir } = setUp()
    const dead = join(libDir, `.fetch-${spawnSync('true').pid}-abc`)
    const alive = join(libDir, `.fetch-${process.pid}-abc`)
    mkdirSync(join(dead, 'kafka'), { recursive: true })
    mkdirSync(alive)
    await ensureArtifacts(deps)
    expect(existsSync(dead)).toBe(false)
    expect(existsSync(alive)).toBe(true)
  })

  it('serve two starts at once', async () => {
    const { deps, libDir } = setUp()
    const [first, second] = await Promise.all([
      ensureArtifacts(deps),
      ensureArtifacts({ ...deps, logFile: `${deps.logFile}.2` }),
    ])
    expect(first).toEqual(second)
    expect(readdirSync(libDir)).toHaveLength(1)
  })

  it('are given up on a signal, with nothing left behind', async () => {
    const { deps, libDir, abort } = setUp(
      `[ "$1" = --version ] && exit\necho x >"$(dirname "$0")/fetches"\nsleep 60`,
    )
    const fetching = ensureArtifacts(deps)
    await until(() => existsSync(join(deps.tools.mvn, '..', 'fetches')), { what: 'the fetch' })
    abort.abort(new Error('interrupted'))
    await expect(fetching).rejects.toThrow('interrupted')
    expect(readdirSync(libDir)).toEqual([])
  })
})

describe('files that cannot be fetched', () => {
  it.each([
    [
      'without network',
      failing(
        '[ERROR] Plugin x:1 could not be resolved: Could not transfer artifact x:pom:1 from/to central (https://a.b): ' +
          'transfer failed for https://a.b/x: Connect to a.b:443 [a.b/192.0.2.1] failed: Connection refused -> [Help 1]\n[ERROR]',
      ),
      'NS_EMBEDDED_UNAVAILABLE',
      /^Maven could not fetch [^:]* \(Connection refused; see \S+maven\.log\): give this machine access to Maven Central, or set KAFKA/,
    ],
    [
      'on a full disk',
      failing('[ERROR] Failed to copy: /x/kafka.jar: No space left on device'),
      'NS_DISK_FULL',
      /^the disk is full: free 500 MB, or set DATA_DIR/,
    ],
    [
      'by a Maven that says nothing',
      failing(''),
      'NS_EMBEDDED_UNAVAILABLE',
      /\(exit code 1; see \S+maven\.log\)/,
    ],
    [
      'by a Maven that fetches nothing',
      'exit 0',
      'NS_EMBEDDED_UNAVAILABLE',
      /does not hold all of Kafka and the registry: delete it, and start again to fetch them$/,
    ],
  ])('%s: one sentence, and nothing is left behind', async (_, script, code, message) => {
    const { deps, libDir } = setUp(script)
    await expect(ensureArtifacts(deps)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
    expect(readdirSync(libDir)).toEqual([])
  })

  it('without Maven: it is asked for', async () => {
    const { deps } = setUp()
    const without = { ...deps, tools: { ...deps.tools, mvn: '/nowhere/mvn' } }
    await expect(ensureArtifacts(without)).rejects.toMatchObject({
      code: 'NS_EMBEDDED_UNAVAILABLE',
      message: expect.stringContaining('install it (Debian: apt-get install maven)'),
    })
  })
})
