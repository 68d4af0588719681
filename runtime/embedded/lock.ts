import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { codeOf, SentinelError } from '../errors.ts'
import { storageError } from './failures.ts'

const LOCK_FILE = 'embedded.lock'
const ORPHANS_MS = 20_000

/** A process, told apart from a later one that has the same pid by when it started. */
const processSchema = z.object({ pid: z.number().int().positive(), started: z.string() })
type ProcessIdentity = z.output<typeof processSchema>

const addressesSchema = z.object({
  /** `host:port` of each broker. */
  kafkaBrokers: z.array(z.string()),
  /** The registry's Confluent API. */
  schemaRegistryUrl: z.string(),
  redisUrl: z.string(),
})

/** Where services are reached. */
export type Addresses = z.output<typeof addressesSchema>

const lockSchema = processSchema.extend({
  children: z.array(processSchema.extend({ name: z.string() })),
  addresses: addressesSchema.optional(),
})
type LockContent = z.output<typeof lockSchema>

/** When a living process started, as text that no other process with its pid has; undefined when there is none. */
export const startOf = (pid: number): string | undefined => {
  if (process.platform !== 'linux') return startFromPs(pid)
  try {
    // The name, in brackets, may hold spaces: fields are counted from behind it. State is the 1st, start the 20th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`
  } catch (error) {
    // ESRCH: it ended between the opening and the reading.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined
    throw error
  }
}

const startFromPs = (pid: number): string | undefined => {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    // ps ends with 1 when there is no such process.
    return undefined
  }
}

/** Whether a process with this pid runs. */
export const isAlive = (pid: number): boolean => startOf(pid) !== undefined

const isSame = ({ pid, started }: ProcessIdentity) => startOf(pid) === started

const identify = (pid: number): ProcessIdentity => ({ pid, started: startOf(pid) ?? 'ended' })

const read = (file: string): { text: string; content: LockContent | undefined } | undefined => {
  try {
    const text = readFileSync(file, 'utf8')
    const parsed = lockSchema.safeParse(parseJson(text))
    return { text, content: parsed.success ? parsed.data : undefined }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // A lock that was cut short holds nothing that could be alive: its writer writes it whole.
    return undefined
  }
}

/** The addresses that the living holder of a directory's lock has announced; undefined when there are none. */
export const announced = (directory: string): Addresses | undefined => {
  const content = read(join(directory, LOCK_FILE))?.content
  return content !== undefined && isSame(content) ? content.addresses : undefined
}

/** Waits for the children of a holder that was killed: their supervisors are stopping them; late ones are killed. */
const outlive = async (children: readonly ProcessIdentity[]) => {
  const deadline = Date.now() + ORPHANS_MS
  while (children.some(isSame)) {
    if (Date.now() > deadline) {
      for (const child of children.filter(isSame)) process.kill(-child.pid, 'SIGKILL')
    }
    await sleep(50)
  }
}

/** Moves a stale lock away, unless another start did so first. */
const removeStale = (file: string, text: string) => {
  const aside = `${file}.stale-${process.pid}`
  try {
    renameSync(file, aside)
    // Between reading and renaming, another start may have taken it over: its lock is put back.
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, file)
    rmSync(aside)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error
  }
}

/** A lock that this process holds. */
export interface Lock {
  /** Notes a child, so that a start after `kill -9` of this process waits until it is gone. */
  addChild(child: { readonly name: string; readonly pid: number }): void
  /** Notes where the services are reached, for other commands on this machine. */
  announce(addresses: Addresses): void
  /** Gives the lock up. May be called twice. */
  release(): void
}

/**
 * Takes the lock of a data directory, which is made when it is not there. A lock whose holder is dead, or whose pid is
 * another process by now, is taken over once that holder's children are gone.
 *
 * Throws NS_EMBEDDED_LOCKED when its holder lives, NS_DISK_FULL or NS_EMBEDDED_UNAVAILABLE when it cannot be written.
 */
export const acquireLock = async (directory: string): Promise<Lock> => {
  const file = join(directory, LOCK_FILE)
  const temporary = `${file}.${process.pid}`
  const content: LockContent = { ...identify(process.pid), children: [] }
  const write = () => writeFileSync(temporary, JSON.stringify(content))
  try {
    mkdirSync(directory, { recursive: true })
    for (;;) {
      const found = read(file)
      if (found === undefined) {
        write()
        // link, unlike rename, fails when another start was quicker.
        if (linked(temporary, file)) break
        continue
      }
      if (found.content !== undefined && isSame(found.content)) {
        throw new SentinelError(
          'NS_EMBEDDED_LOCKED',
          `process ${found.content.pid} uses ${directory}: stop it, or set DATA_DIR to another directory`,
        )
      }
      await outlive(found.content?.children ?? [])
      removeStale(file, found.text)
    }
  } catch (error) {
    throw storageError(directory, error)
  }
  let held = true
  const update = () => {
    write()
    renameSync(temporary, file)
  }
  return {
    addChild: ({ name, pid }) => {
      content.children.push({ name, ...identify(pid) })
      update()
    },
    announce: addresses => {
      content.addresses = addresses
      update()
    },
    release: () => {
      if (held) rmSync(file, { force: true })
      held = false
    },
  }
}

const linked = (from: string, to: string): boolean => {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(from, { force: true })
  }
}
