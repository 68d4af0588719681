import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, SentinelError } from '../errors.ts'
import type { Log } from '../log.ts'
import { storageError } from './failures.ts'
import { acquireLock, isAlive } from './lock.ts'

const EPHEMERAL = 'ephemeral'
const LOGS = 'logs'
const SPACE_NEEDED = 128 * 1024 * 1024

/** Makes a directory. Throws NS_DISK_FULL, or NS_EMBEDDED_UNAVAILABLE when it cannot be written. */
export const makeDirectory = (directory: string): void => {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw storageError(directory, error)
  }
}

/** Throws NS_DISK_FULL when fewer than `needed` bytes are free where `directory` is. */
export const assertSpace = (directory: string, needed = SPACE_NEEDED): void => {
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize >= needed) return
  const mib = (bytes: number) => `${Math.floor(bytes / 1024 / 1024)} MiB`
  throw new SentinelError(
    'NS_DISK_FULL',
    `the disk of ${directory} has ${mib(bavail * bsize)} free and ${mib(needed)} are needed: free some, or set DATA_DIR`,
  )
}

/**
 * Makes the directory of an ephemeral run under DATA_DIR, and removes those of runs whose process is gone without
 * having removed them. Throws NS_DISK_FULL, or NS_EMBEDDED_UNAVAILABLE when it cannot be written.
 */
export const newRun = async (dataDir: string, log: Log): Promise<string> => {
  const runs = join(dataDir, EPHEMERAL)
  makeDirectory(runs)
  for (const name of readdirSync(runs)) {
    const pid = /^(\d+)-/.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      // The lock is free once the children of that process are gone.
      const lock = await acquireLock(join(runs, name))
      rmSync(join(runs, name), { recursive: true, force: true })
      lock.release()
    } catch (error) {
      log.debug({ directory: name, reason: messageOf(error) }, 'the data of a killed run stays for now')
    }
  }
  try {
    return mkdtempSync(join(runs, `${process.pid}-`))
  } catch (error) {
    throw storageError(runs, error)
  }
}

/**
 * Removes the directory of an ephemeral run. After a crash its logs stay until the next run, because an error names them.
 */
export const removeRun = (run: string, { keepLogs }: { readonly keepLogs: boolean }): void => {
  if (!keepLogs) rmSync(run, { recursive: true, force: true })
  else {
    for (const name of readdirSync(run)) {
      if (name !== LOGS) rmSync(join(run, name), { recursive: true, force: true })
    }
  }
}
