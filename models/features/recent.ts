import type { Behaviour, RecentEvents } from '../../schemas/generated.ts'
import type { Observation } from '../detector.ts'
import type { JudgedEvent } from './event-fields.ts'
import { FEATURE_COUNT, writeFeatures } from './features.ts'

/** Which of an entity's latest events a model looks at, and what of them. */
export interface RecentForm {
  /** Events in a window, the one that is judged included. */
  readonly events: number
  /** Numbers of the features that make the columns. */
  readonly columns: readonly number[]
  /** Of each column: the value that becomes 0, and the one that becomes 255; what is beyond is cut. */
  readonly low: readonly number[]
  readonly high: readonly number[]
  /** Names all of this: what was kept for another form is of no use. */
  readonly id: string
}

/** Values of a byte. */
const LEVELS = 255

/** Writes one event's row, a byte a column, into `out` from `at` on. */
const writeRow = (form: RecentForm, observation: Observation, out: Uint8Array, at: number): void => {
  const row = new Float32Array(FEATURE_COUNT)
  writeFeatures(observation, row, 0)
  for (const [i, column] of form.columns.entries()) {
    const [low, high] = [form.low[i] ?? 0, form.high[i] ?? 1]
    const share = ((row[column] ?? 0) - low) / (high - low)
    out[at + i] = Math.round(Math.min(1, Math.max(0, share)) * LEVELS)
  }
}

/** The rows that are kept of an entity for a form, one behind the other, the oldest first. */
const kept = (form: RecentForm, before: Behaviour | null): Uint8Array =>
  before?.recent?.form === form.id ? before.recent.rows : new Uint8Array()

/** The latest rows, with the event's own behind them: as many as there are, at most a window. */
const withEvent = (form: RecentForm, observation: Observation): Uint8Array => {
  const width = form.columns.length
  const past = kept(form, observation.before)
  const taken = past.subarray(Math.max(0, past.length - (form.events - 1) * width))
  const rows = new Uint8Array(taken.length + width)
  rows.set(taken)
  writeRow(form, observation, rows, taken.length)
  return rows
}

/** What is kept of an entity's latest events once this one is among them: a window without its oldest row. */
export const nextRecent = (form: RecentForm, before: Behaviour | null, event: JudgedEvent): RecentEvents => {
  const rows = withEvent(form, { event, before })
  const from = Math.max(0, rows.length - (form.events - 1) * form.columns.length)
  return { form: form.id, rows: Buffer.from(rows.subarray(from)) }
}

/**
 * The window of an event: events × columns values of 0 to 1, the oldest event first, the event itself last, and `known`, how
 * many events there are. Where there are fewer than a window holds, the rows before them are 0.
 */
export const writeWindow = (
  form: RecentForm,
  observation: Observation,
  out: Float32Array,
  at: number,
): number => {
  const rows = withEvent(form, observation)
  const from = at + form.events * form.columns.length - rows.length
  for (let i = 0; i < rows.length; i++) out[from + i] = (rows[i] ?? 0) / LEVELS
  return rows.length / form.columns.length
}
