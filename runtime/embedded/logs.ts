import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { codeOf } from '../errors.ts'

/** Most bytes that the log of one child takes, twice: the file and the one before it. */
const MAX_BYTES = 16 * 1024 * 1024
const LOOK_EVERY_MS = 5_000
const TAIL_BYTES = 64 * 1024

/**
 * Opens the log file of a child for appending; what an earlier run left is kept once, as `<file>.1`. Returns the
 * descriptor that the child writes to.
 */
export const openLog = (file: string): number => {
  if (existsSync(file)) renameSync(file, `${file}.1`)
  return openSync(file, 'a')
}

/**
 * Moves a log file's content to `<file>.1` when it is larger than `maxBytes`. Its writer goes on undisturbed: it
 * appends, so its next line is the first of the emptied file.
 */
export const trimLog = (file: string, maxBytes = MAX_BYTES): void => {
  try {
    if (statSync(file).size <= maxBytes) return
    copyFileSync(file, `${file}.1`)
    truncateSync(file, 0)
  } catch (error) {
    // The directory of an ephemeral run may be gone already; anything else is a defect.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** Keeps a log file below its bound until the returned function is called. */
export const boundLog = (file: string): (() => void) => {
  const timer = setInterval(() => trimLog(file), LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** The last lines of a log file, at most 64 KiB of text; empty when there is no such file. */
export const tailOf = (file: string): string => {
  if (!existsSync(file)) return ''
  const descriptor = openSync(file, 'r')
  try {
    const { size } = statSync(file)
    const length = Math.min(size, TAIL_BYTES)
    const bytes = Buffer.alloc(length)
    readSync(descriptor, bytes, 0, length, size - length)
    return bytes.toString('utf8')
  } finally {
    closeSync(descriptor)
  }
}
