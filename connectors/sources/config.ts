import { z } from 'zod'
import { section, setting } from '../../runtime/config.ts'

/** Settings of how raw records are read. */
export const sourcesConfig = section('sources', {
  assumeTimeZone: setting(
    'ASSUME_TIMEZONE',
    z.string().default('UTC'),
    'Time zone (IANA name, e.g. Europe/Berlin) of times that carry none.',
  ),
  secretsMode: setting(
    'SECRETS_MODE',
    z.enum(['hash', 'drop']).optional(),
    'What becomes of passwords in events: `hash` (keyed, so that equal ones can be counted) or `drop`. ' +
      'Without it: hash when SECRETS_KEY is set, else drop.',
  ),
  secretsKey: setting(
    'SECRETS_KEY',
    z.string().min(16).optional(),
    'Key of the hashes of passwords, 16 characters or more. Another key gives other hashes.',
    { secret: true },
  ),
})
