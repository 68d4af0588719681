import type { Observation } from '../detector.ts'
import { decay, FAST_HALF_LIFE_MS, SLOW_HALF_LIFE_MS } from './state.ts'

/** Failed logins, half-life 1 h, from which on an entity guesses passwords. */
const GUESSING = 4

/** Target ports that were new to it, half-life 1 min, from which on an entity scans. */
const SCANNING = 8

/**
 * Whether a model may learn from an event: its entity is not, just before it, guessing passwords or scanning ports. A model
 * takes for usual what it has learnt from, and to these two every machine that faces the internet is used. So they are
 * left out by what they are, however common: docs/decisions/0010 says why.
 */
export const isUsual = ({ event, before }: Observation): boolean => {
  if (before === null) return true
  const sinceMs = Math.max(0, event.time - before.lastTime)
  return (
    before.failedLoginsSlow * decay(sinceMs, SLOW_HALF_LIFE_MS) < GUESSING &&
    before.newPorts * decay(sinceMs, FAST_HALF_LIFE_MS) < SCANNING
  )
}
