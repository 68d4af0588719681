import { codeOf, messageOf, SentinelError } from '../errors.ts'
import { tailOf } from './logs.ts'

const NO_SPACE =
  /No space left on device|There is not enough space on the disk|ENOSPC|EDQUOT|Disk quota exceeded/i
const PORT_TAKEN = /Address already in use|Port \d+ seems to be used|BindException/i
const LOCKED = /Failed to acquire lock on file|Database may be already in use/i

/** What a person without the embedded services does instead; ends every sentence that says why there are none. */
export const INSTEAD = 'or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and REDIS_URL to services that run already'

/**
 * Why a child ended when nobody asked it to, from its log: NS_DISK_FULL, NS_PORT_TAKEN or NS_EMBEDDED_LOCKED when the
 * log says so, else NS_EMBEDDED_CRASHED. Each names the log file.
 */
export const crashError = (name: string, exitCode: number, logFile: string): SentinelError => {
  const tail = tailOf(logFile)
  if (NO_SPACE.test(tail)) {
    return new SentinelError(
      'NS_DISK_FULL',
      `${name} ended because its disk is full: free some space (${logFile})`,
    )
  }
  if (PORT_TAKEN.test(tail)) {
    return new SentinelError(
      'NS_PORT_TAKEN',
      `${name} ended because its port is taken: start again (${logFile})`,
    )
  }
  if (LOCKED.test(tail)) {
    return new SentinelError(
      'NS_EMBEDDED_LOCKED',
      `another process uses the data of ${name}: stop it (${logFile})`,
    )
  }
  return new SentinelError('NS_EMBEDDED_CRASHED', `${name} ended with exit code ${exitCode}: see ${logFile}`)
}

/** The error for a directory or file that could not be written: NS_DISK_FULL, else NS_EMBEDDED_UNAVAILABLE. */
export const storageError = (path: string, cause: unknown): SentinelError => {
  if (cause instanceof SentinelError) return cause
  if (codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT') {
    return new SentinelError(
      'NS_DISK_FULL',
      `the disk of ${path} is full: free some space, or set DATA_DIR`,
      { cause },
    )
  }
  return new SentinelError(
    'NS_EMBEDDED_UNAVAILABLE',
    `${path} cannot be written (${messageOf(cause)}): make it writable, or set DATA_DIR to a directory that is`,
    { cause },
  )
}

/** Why Maven did not bring the artifacts, from its log. */
export const downloadError = (exitCode: number, logFile: string): SentinelError => {
  const tail = tailOf(logFile)
  if (NO_SPACE.test(tail)) {
    return new SentinelError(
      'NS_DISK_FULL',
      `the disk is full: free 500 MB, or set DATA_DIR to a directory on a larger disk (${logFile})`,
    )
  }
  // Maven chains causes with colons, the root cause last.
  const causes = /\[ERROR\] (.+?)(?: -> \[Help \d+\])?$/m.exec(tail)?.[1]?.split(/: (?=[A-Z])/)
  const reason = causes?.at(-1) ?? `exit code ${exitCode}`
  return new SentinelError(
    'NS_EMBEDDED_UNAVAILABLE',
    `Maven could not fetch Kafka, the registry and Redis (${reason}; see ${logFile}): ` +
      `give this machine access to Maven Central, ${INSTEAD}`,
  )
}
