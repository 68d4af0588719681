import { SentinelError } from '../../runtime/errors.ts'

const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,12})?\s*(?:Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i
/** Index behind the seconds of such a text: all before it has its fixed place, so that nothing need be captured. */
const SECONDS_END = 19
const EPOCH = /^\d{9,19}(?:\.\d+)?$/
/** Largest time that a Date can hold, in ms. */
const LAST = 8.64e15
const CACHED_OFFSETS = 4096
const QUARTER_HOUR = 900_000

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

const daysIn = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : (DAYS[month - 1] ?? 0)

const isDigit = (code: number) => code >= 48 && code <= 57

/** The number that two digits make. */
const two = (text: string, at: number): number =>
  (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48

/** Ms of the clock reading in an ISO text, as if it were UTC; null when there is none such (month 13, 30 February). */
const clockMs = (text: string): number | null => {
  const [year, month, day] = [two(text, 0) * 100 + two(text, 2), two(text, 5), two(text, 8)]
  const [hour, minute, second] = [two(text, 11), two(text, 14), two(text, 17)]
  if (hour > 23 || minute > 59 || second > 60) return null
  if (month < 1 || month > 12) return null
  if (day < 1 || day > daysIn(year, month)) return null
  // A leap second rolls over into the next minute.
  return Date.UTC(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1_000
}

/** Index behind the decimals of an ISO text's seconds; of their end when it has none. */
const decimalsEnd = (text: string): number => {
  const mark = text[SECONDS_END]
  if (mark !== '.' && mark !== ',') return SECONDS_END
  let end = SECONDS_END + 1
  while (isDigit(text.charCodeAt(end))) end++
  return end
}

/** Whole ms of the decimals that end at `end`. */
const decimalsMs = (text: string, end: number): number =>
  end === SECONDS_END ? 0 : Math.floor(Number(`0.${text.slice(SECONDS_END + 1, end)}`) * 1000 + 1e-6)

const offsetMs = (zone: string): number => {
  const sign = zone.startsWith('-') ? -1 : 1
  const digits = zone.slice(1).replace(':', '')
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)) * 60_000
}

/** Seconds, ms, µs or ns since 1970 by magnitude: the ranges do not meet between the years 1973 and 5138. */
const fromEpoch = (value: number): number | null => {
  if (!(value >= 1e8)) return null
  const ms =
    value < 1e11
      ? Math.floor(value * 1000 + 1e-3)
      : value < 1e14
        ? Math.floor(value)
        : value < 1e17
          ? Math.floor(value / 1e3)
          : Math.floor(value / 1e6)
  return ms <= LAST ? ms : null
}

/** How far a zone is ahead of UTC at an instant, in ms, by the time-zone data of the platform. */
const zoneOffsets = (timeZone: string): ((at: number) => number) => {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const cache = new Map<number, number>()
  return at => {
    // Offsets change on quarter hours only, so one value serves a quarter.
    const quarter = Math.floor(at / QUARTER_HOUR) * QUARTER_HOUR
    const known = cache.get(quarter)
    if (known !== undefined) return known
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(quarter)) part[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
    const offset = Date.UTC(year, month - 1, day, hour, minute, second) - quarter
    if (cache.size >= CACHED_OFFSETS) cache.clear()
    cache.set(quarter, offset)
    return offset
  }
}

/**
 * The instant of a clock reading in a zone. A reading that occurs twice, when clocks go back, is the first of the two;
 * one that does not occur, when they go forward, is read with the offset before the change.
 */
const fromClock = (clock: number, offsetAt: (at: number) => number): number => {
  const before = offsetAt(clock - 86_400_000)
  const after = offsetAt(clock + 86_400_000)
  for (const offset of [before, after]) if (offsetAt(clock - offset) === offset) return clock - offset
  return clock - before
}

const isUtc = (timeZone: string) => /^(?:etc\/)?(?:utc|gmt|zulu|uct|universal)$/i.test(timeZone)

/**
 * Makes a reader of times: ISO 8601 with `T` or a space, any number of decimals, and an offset with a colon, without one,
 * or none; seconds, ms, µs or ns since 1970, as numbers or texts. Texts without an offset are in `timeZone` (IANA name).
 * The reader gives ms since 1970 (UTC), cut to whole ms, and null for what is not a time after 1970; smaller
 * numbers than 1e8 are counts or relative times, not seconds since 1970.
 *
 * Throws NS_CONFIG_INVALID when there is no such zone.
 */
export const createTimeReader = (timeZone: string): ((value: unknown) => number | null) => {
  const utc = isUtc(timeZone)
  let offsetAt: (at: number) => number = () => 0
  try {
    if (!utc) offsetAt = zoneOffsets(timeZone)
  } catch (cause) {
    throw new SentinelError('NS_CONFIG_INVALID', `ASSUME_TIMEZONE: ${timeZone} is not a time zone`, { cause })
  }
  const fromText = (value: string): number | null => {
    if (!ISO.test(value)) return EPOCH.test(value) ? fromEpoch(Number(value)) : null
    const reading = clockMs(value)
    if (reading === null) return null
    const end = decimalsEnd(value)
    const clock = reading + decimalsMs(value, end)
    const zone = value.slice(end).trimStart()
    if (zone === '') return utc ? clock : fromClock(clock, offsetAt)
    return /^(?:z|utc)$/i.test(zone) ? clock : clock - offsetMs(zone)
  }
  return value => {
    const ms =
      typeof value === 'number' ? fromEpoch(value) : typeof value === 'string' ? fromText(value.trim()) : null
    return ms !== null && ms > 0 ? ms : null
  }
}
