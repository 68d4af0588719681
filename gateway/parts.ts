import type { Check } from '../runtime/lifecycle.ts'
import type { Log } from '../runtime/log.ts'
import { type Repeating, startRepeating } from './repeating.ts'
import type { Notices } from './sockets/notices.ts'

interface PartsDeps {
  readonly check: () => Promise<readonly Check[]>
  readonly notices: Pick<Notices, 'post' | 'end'>
  /** How often it looks, in ms. */
  readonly intervalMs: number
  readonly log: Log
}

/** The part that a check is of, `kafka` of `kafka (gateway)`: what is wrong with it is for operators alone. */
const partOf = ({ name }: Check): string => name.split(' ', 1)[0] ?? name

/** Tells the channel `system` which parts that the gateway stands on are away, and when they are back. */
export const watchParts = ({ check, notices, intervalMs, log }: PartsDeps): Repeating => {
  let away = new Set<string>()
  return startRepeating({
    work: async () => {
      const checks = await check()
      const now = new Set(checks.filter(({ problem }) => problem !== undefined).map(partOf))
      for (const part of now) {
        if (!away.has(part)) notices.post('system', part, { type: 'part', part, state: 'away' })
      }
      for (const part of away) {
        if (!now.has(part)) notices.end('system', part, { type: 'part', part, state: 'back' })
      }
      away = now
    },
    intervalMs,
    says: { failing: 'parts cannot be looked at', working: 'parts are looked at again' },
    log,
  })
}
