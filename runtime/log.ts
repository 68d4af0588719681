import { type DestinationStream, type Logger, pino } from 'pino'
import { z } from 'zod'
import { type SectionValues, section, setting } from './config.ts'

/** The logger that every part is handed. */
export type Log = Logger

/** Settings of the log. */
export const logConfig = section('log', {
  level: setting(
    'LOG_LEVEL',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    'Least severe level that is written.',
  ),
})

/** Names under which a value is never written, at the top of a log line's object or one level below it. */
const SECRET_KEYS = [
  'password',
  'passwordHash',
  'secret',
  'token',
  'accessToken',
  'refreshToken',
  'ticket',
  'authorization',
  'cookie',
  'privateKey',
  'saslPassword',
]

/**
 * Makes the root logger of a process: JSON lines on standard error (standard output belongs to the commands' results),
 * with passwords and tokens replaced by `[redacted]`.
 */
export const createLog = (
  config: SectionValues<typeof logConfig>,
  name: string,
  destination: DestinationStream = process.stderr,
): Log =>
  pino(
    {
      name,
      level: config.level,
      redact: {
        paths: SECRET_KEYS.flatMap(key => [key, `*.${key}`, `*.*.${key}`]),
        censor: '[redacted]',
      },
      formatters: { level: label => ({ level: label }) },
      base: { name },
    },
    destination,
  )

/** A log that writes nothing, for tests and tools. */
export const silentLog = (): Log => pino({ level: 'silent' })

/** A destination for {@link createLog} that appends to a file, making its folder when it is not there. */
export const logFile = (path: string): DestinationStream =>
  pino.destination({ dest: path, mkdir: true, sync: true })
