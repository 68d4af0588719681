import { z } from 'zod'
import { flag, int, section, setting } from '../../runtime/config.ts'
import { SEVERITIES } from './decide.ts'

/** Settings of notification; where it goes is with the notifiers. */
export const notifyConfig = section('notify', {
  minSeverity: setting(
    'NOTIFY_MIN_SEVERITY',
    z.enum(SEVERITIES).default('high'),
    'The mildest severity of alerts that people are told of: low, medium, high or critical.',
  ),
  closed: setting(
    'NOTIFY_CLOSED',
    flag().default(false),
    'Whether they are told that such an alert has closed.',
  ),
  maxAgeMs: setting(
    'NOTIFY_MAX_AGE_MS',
    int(1_000).default(24 * 3_600_000),
    'Alerts that changed longer ago are not told any more, in ms: a first start must not tell a week of them.',
  ),
  attempts: setting(
    'NOTIFY_ATTEMPTS',
    int(1, 1_000).default(20),
    'How often a notification is tried before it is given up; waits double from 1 s to an hour, 20 take about 9 hours.',
  ),
})
