/** The value of whatever an event or its entity does not have; every value that is there is at or above 0. */
export const ABSENT = -1

/** One number about an event. It is written with those around it, in one go, since every event costs all of them. */
export interface Feature {
  readonly name: string
  /** What it is, for an analyst: a sentence without line breaks. */
  readonly doc: string
}

/** 1 or 0. */
export const flag = (value: boolean): number => (value ? 1 : 0)

/** ln(1 + value) of a size of any magnitude; absent when it is null or no number. */
export const size = (value: number | null): number =>
  value === null || !Number.isFinite(value) ? ABSENT : Math.log1p(Math.max(0, value))
