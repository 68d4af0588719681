import { remembering } from '../../runtime/remembering.ts'

/** Numbers that describe a text without knowing its language. */
export interface TextStats {
  /** ln(1 + UTF-16 units); -1 when there is no text. */
  readonly length: number
  /** Shannon entropy of its characters, in bits a character; -1 when there is no text. */
  readonly entropy: number
  /** Share of digits, 0 to 1; -1 when there is no text. */
  readonly digits: number
  /** Share of characters that are no ASCII letter, digit, dot or space, 0 to 1; -1 when there is no text. */
  readonly symbols: number
}

/** ln(1 + n) of the whole numbers that lengths and counts mostly are: looked up, it costs a tenth. */
const SMALL = Float64Array.from({ length: 256 }, (_, n) => Math.log1p(n))

/** ln(1 + n) of a length or a count. */
export const logOfCount = (n: number): number => SMALL[n] ?? Math.log1p(n)

const ABSENT: TextStats = { length: -1, entropy: -1, digits: -1, symbols: -1 }
const EMPTY: TextStats = { length: 0, entropy: 0, digits: 0, symbols: 0 }

/** Units that are looked at: a row costs the same whatever a producer sends. */
const SCANNED = 1024

/** n·log2(n) of every count that there may be. */
const WEIGHTS = Float64Array.from({ length: SCANNED + 1 }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)))

/** Of the text that is looked at, all zero in between. Characters count as ASCII, everything else by its low bits. */
const counts = new Uint16Array(256)

const classOf = (code: number): number => (code < 128 ? code : 128 + (code & 127))
const isDigit = (code: number) => code >= 48 && code <= 57
const isLetter = (code: number) => (code | 32) >= 97 && (code | 32) <= 122

const describe = remembering((text: string): TextStats => {
  const scanned = Math.min(text.length, SCANNED)
  if (scanned === 0) return EMPTY
  let digits = 0
  let symbols = 0
  let weight = 0
  for (let i = 0; i < scanned; i++) {
    const code = text.charCodeAt(i)
    const at = classOf(code)
    const count = counts[at] ?? 0
    counts[at] = count + 1
    weight += (WEIGHTS[count + 1] ?? 0) - (WEIGHTS[count] ?? 0)
    if (isDigit(code)) digits++
    else if (!isLetter(code) && code !== 46 && code !== 32) symbols++
  }
  for (let i = 0; i < scanned; i++) counts[classOf(text.charCodeAt(i))] = 0
  // H = log2 n − Σ c·log2 c / n. The sum is made as the counts grow, so it may end a last bit above the whole.
  const entropy = Math.max(0, ((WEIGHTS[scanned] ?? 0) - weight) / scanned)
  return {
    length: logOfCount(text.length),
    entropy,
    digits: digits / scanned,
    symbols: symbols / scanned,
  }
})

/**
 * Describes a text; null is told apart from an empty one. Characters after the first 1,024 count for the length only.
 * Always finite.
 */
export const textStats = (text: string | null): TextStats => (text === null ? ABSENT : describe(text))
