import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { until } from '../../test/support/services.ts'
import { fakeProgram, tempDir } from '../../test/support/temp.ts'
import { loadConfig } from '../config.ts'
import { silentLog } from '../log.ts'
import { embeddedConfig } from './config.ts'
import { startEmbedded } from './embedded.ts'
import { isAlive } from './lock.ts'

const FETCH = `
[ "$1" = --version ] && exit
for arg; do case $arg in -Dlib=*) lib=\${arg#-Dlib=};; esac; done
mkdir -p "$lib/kafka" "$lib/registry"
touch "$lib/registry/apicurio-registry-app-0-runner.jar"
`
/** Redis that notes its pid and goes on. */
const REDIS = `
[ "$1" = --version ] && { echo 'Redis server v=7'; exit; }
echo $$ >pid
exec sleep 60
`

/** A machine whose Java does as the script says when it is started for a service. */
const setUp = (java: string) => {
  const bin = tempDir()
  const dataDir = join(tempDir(), 'data')
  return {
    dataDir,
    deps: {
      config: loadConfig({ embedded: embeddedConfig }, {}).embedded,
      dataDir,
      log: silentLog(),
      tools: {
        java: fakeProgram(bin, 'java', `[ "$1" = -version ] && { echo 'version "17"' >&2; exit; }\n${java}`),
        mvn: fakeProgram(bin, 'mvn', FETCH),
        redisServer: fakeProgram(bin, 'redis-server', REDIS),
      },
    },
  }
}

const redisPid = (directory: string) =>
  until(() => Number(readFileSync(join(directory, 'redis', 'pid'), 'utf8')), { what: 'the pid of Redis' })

describe('embedded services that do not come up', () => {
  it.each([
    ['No space left on device', 'NS_DISK_FULL', /disk is full: free some space \(\S+\.log\)$/],
    ['Something else', 'NS_EMBEDDED_CRASHED', /ended with exit code 7: see \S+\.log$/],
  ])(
    'because of %j: one sentence that names the log, and no process is left',
    async (output, code, message) => {
      // The broker waits until Redis runs, so that there is something to end.
      const { deps, dataDir } = setUp(
        `while [ ! -s ../redis/pid ]; do sleep 0.02; done; echo '${output}'; exit 7`,
      )
      await expect(startEmbedded(deps)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
      expect(isAlive(await redisPid(dataDir))).toBe(false)
      expect(existsSync(join(dataDir, 'embedded.lock'))).toBe(false)
    },
  )

  it('leave only their logs of an ephemeral run', async () => {
    const { deps, dataDir } = setUp('exit 7')
    await expect(startEmbedded({ ...deps, ephemeral: true })).rejects.toMatchObject({
      code: 'NS_EMBEDDED_CRASHED',
    })
    const [run = ''] = readdirSync(join(dataDir, 'ephemeral'))
    expect(readdirSync(join(dataDir, 'ephemeral', run))).toEqual(['logs'])
  })

  it('because a signal came: its reason is thrown, and no process is left', async () => {
    const { deps, dataDir } = setUp('exec sleep 60')
    const abort = new AbortController()
    const starting = startEmbedded({ ...deps, signal: abort.signal })
    const pid = await redisPid(dataDir)
    expect(isAlive(pid)).toBe(true)
    abort.abort(new Error('interrupted'))
    await expect(starting).rejects.toThrow('interrupted')
    expect(isAlive(pid)).toBe(false)
  })

  it('because the directory cannot be written', async () => {
    const { deps } = setUp('exit 7')
    const dataDir = join(fakeProgram(tempDir(), 'file', ''), 'data')
    await expect(startEmbedded({ ...deps, dataDir })).rejects.toMatchObject({
      code: 'NS_EMBEDDED_UNAVAILABLE',
      message: expect.stringContaining('set DATA_DIR to a directory that is'),
    })
  })

  it('because there is no Java: nothing is made', async () => {
    const { deps, dataDir } = setUp('exit 7')
    const without = { ...deps, tools: { ...deps.tools, java: '/nowhere/java' } }
    await expect(startEmbedded(without)).rejects.toMatchObject({ code: 'NS_EMBEDDED_UNAVAILABLE' })
    expect(existsSync(dataDir)).toBe(false)
  })
})
