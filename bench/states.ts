import avro from 'avsc'
import { featureNames } from '../models/features/features.ts'
import { nextRecent, type RecentForm } from '../models/features/recent.ts'
import { advance } from '../models/features/state.ts'
import { captureEvents } from '../pipelines/retraining/baseline.ts'
import { loadSchema } from '../schemas/avro.ts'
import type { Behaviour } from '../schemas/generated.ts'

/**
 * `node bench/states.ts`: what it costs to bring the state of an entity up to its next event and to write it, without the
 * entity's latest events and with windows of 32 × 32 of them, and how large it is.
 */
const ROUNDS = 15
const SIZE = 32

const form: RecentForm = {
  events: SIZE,
  columns: Array.from({ length: SIZE }, (_, i) => i % featureNames.length),
  low: new Array<number>(SIZE).fill(0),
  high: new Array<number>(SIZE).fill(10),
  id: 'bench',
}
const events = await captureEvents()
const type = avro.Type.forSchema(loadSchema('EntityState') as avro.Schema, { wrapUnions: 'never' })

/** µs of CPU an event, and mean bytes of a state. */
const costOf = (recent: RecentForm | undefined): { us: number; bytes: number } => {
  const known = new Map<string, Behaviour>()
  let bytes = 0
  const { user, system } = process.cpuUsage()
  for (const event of events) {
    const before = known.get(event.entity) ?? null
    const after = advance(before, event)
    const next = recent === undefined ? after : { ...after, recent: nextRecent(recent, before, event) }
    known.set(event.entity, next)
    bytes += type.toBuffer({ id: event.entity, behaviour: next, model: null }).length
  }
  const spent = process.cpuUsage()
  return { us: (spent.user + spent.system - user - system) / events.length, bytes: bytes / events.length }
}

for (const [what, recent] of [
  ['without windows', undefined],
  [`with windows of ${SIZE} × ${SIZE}`, form],
] as const) {
  const rounds = Array.from({ length: ROUNDS }, () => costOf(recent)).slice(ROUNDS / 3)
  const us = rounds.map(round => round.us).toSorted((a, b) => a - b)[ROUNDS / 3] ?? 0
  process.stdout.write(
    `| ${what} | ${us.toFixed(1)} µs an event | ${Math.round(rounds[0]?.bytes ?? 0)} bytes a state |\n`,
  )
}
