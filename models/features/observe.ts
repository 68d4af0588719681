import type { Behaviour } from '../../schemas/generated.ts'
import type { Observation } from '../detector.ts'
import type { JudgedEvent } from './event-fields.ts'
import { advance } from './state.ts'

/** Pairs each event with what was known of its entity just before it, in the order given: how training sees events. */
export const observe = <E extends JudgedEvent>(events: Iterable<E>): Observation<E>[] => {
  const known = new Map<string, Behaviour>()
  const observations: Observation<E>[] = []
  for (const event of events) {
    const before = known.get(event.entity) ?? null
    observations.push({ event, before })
    known.set(event.entity, advance(before, event))
  }
  return observations
}
