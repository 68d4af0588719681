import type { Behaviour, Contact } from '../../schemas/generated.ts'
import type { JudgedEvent } from './event-fields.ts'
import { logOfCount, type TextStats } from './text.ts'

/** The value of whatever an event or its entity does not have; every value that is there is at or above 0. */
export const ABSENT = -1

/** What the features of one event are made of: the event, its entity's past, and what is derived of them once. */
export interface View {
  readonly event: JudgedEvent
  /** State of the entity before the event; null for its first. */
  readonly before: Behaviour | null
  /** Time since the entity's latest event, in ms, 0 for a late event; null for its first. */
  readonly gapMs: number | null
  /** What is left, at the event's time, of counters with a half-life of a minute, an hour, a day. */
  readonly fast: number
  readonly slow: number
  readonly day: number
  /** The call of a service that the event is, and its rhythm with it; null for any other event. */
  readonly contact: Contact | null
  /** Kinds of its action and its service; null when it has none, or no service at all. */
  readonly action: string | null
  readonly service: string | null
  readonly user: TextStats
  readonly command: TextStats
  readonly url: TextStats
  readonly query: TextStats
  readonly file: TextStats
}

/** One number about an event. */
export interface Feature {
  readonly name: string
  /** What it is, for an analyst: a sentence without line breaks. */
  readonly doc: string
  readonly of: (view: View) => number
}

/** 1 or 0. */
export const flag = (value: boolean): number => (value ? 1 : 0)

/** ln(1 + value) of a size of any magnitude; absent when it is null or no number. */
export const size = (value: number | null): number =>
  value === null || !Number.isFinite(value) ? ABSENT : Math.log1p(Math.max(0, value))

/** ln(1 + length). */
export const lengthOf = (text: string | null): number => (text === null ? ABSENT : logOfCount(text.length))
