import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { tempDir } from '../../test/support/temp.ts'
import { silentLog } from '../log.ts'
import { assertSpace, makeDirectory, newRun, removeRun } from './directories.ts'

const fill = (run: string) => {
  for (const name of ['kafka', 'logs']) {
    mkdirSync(join(run, name), { recursive: true })
    writeFileSync(join(run, name, 'file'), '')
  }
}

describe('the directory of an ephemeral run', () => {
  it('is removed whole', async () => {
    const run = await newRun(tempDir(), silentLog())
    fill(run)
    removeRun(run, { keepLogs: false })
    expect(existsSync(run)).toBe(false)
  })

  it('keeps its logs after a crash, until a run after the process has ended', async () => {
    const dataDir = tempDir()
    const run = await newRun(dataDir, silentLog())
    fill(run)
    removeRun(run, { keepLogs: true })
    expect(readdirSync(run)).toEqual(['logs'])
    await newRun(dataDir, silentLog())
    expect(existsSync(run)).toBe(true)
  })

  it('goes with the next run when its process was killed', async () => {
    const dataDir = tempDir()
    const abandoned = join(dataDir, 'ephemeral', `${spawnSync('true').pid}-abc`)
    fill(abandoned)
    const run = await newRun(dataDir, silentLog())
    expect(readdirSync(dirname(run))).toEqual([run.slice(dirname(run).length + 1)])
  })
})

describe('a directory', () => {
  it('that cannot be made is one sentence', () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, '')
    expect(() => makeDirectory(join(file, 'data'))).toThrow(
      /cannot be written .*: make it writable, or set DATA_DIR/,
    )
  })

  it('on a disk that is nearly full is refused before anything is started', () => {
    const directory = tempDir()
    assertSpace(directory, 1)
    expect(() => assertSpace(directory, 2 ** 60)).toThrow(
      expect.objectContaining({
        code: 'NS_DISK_FULL',
        message: expect.stringMatching(
          /has \d+ MiB free and 1099511627776 MiB are needed: free some, or set DATA_DIR$/,
        ),
      }),
    )
  })
})
