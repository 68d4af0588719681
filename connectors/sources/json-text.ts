/** Digits enough for a whole number above 2^53, about 9.007e15; those after a decimal point do not count. */
const LONG_DIGITS = /(?<![\d.])(?:9\d{15}|\d{17})/
const MANY = 16

const isDigit = (code: number) => code >= 48 && code <= 57

/** Whether so many digits follow each other, which nearly no text holds: one of them would be at one of these places. */
const hasManyDigits = (json: string): boolean => {
  for (let at = MANY - 1; at < json.length; at += MANY) {
    if (!isDigit(json.charCodeAt(at))) continue
    let from = at
    while (isDigit(json.charCodeAt(from - 1))) from--
    let to = at + 1
    while (isDigit(json.charCodeAt(to))) to++
    if (to - from >= MANY) return true
  }
  return false
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const exact: Reviver = (_key, value, context) =>
  typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? /^-?\d+$/.test(context.source ?? '')
      ? context.source
      : value
    : value

/**
 * Parses JSON without losing digits: a whole number above 2^53 becomes a text with exactly its digits (NetFlow times in
 * ns, ids of 64 bits). Throws SyntaxError, or RangeError when such a text nests too deeply.
 */
export const parseExact = (json: string): unknown =>
  hasManyDigits(json) && LONG_DIGITS.test(json)
    ? JSON.parse(json, exact as Parameters<typeof JSON.parse>[1])
    : JSON.parse(json)

const QUOTE = 34
const BACKSLASH = 92
const COLON = 58
const COMMA = 44

const isOpening = (code: number) => code === 123 || code === 91
const isClosing = (code: number) => code === 125 || code === 93
const isSpace = (code: number) => code === 32 || code === 10 || code === 13 || code === 9

/** Index behind the closing quote of the string literal that begins at `from`. */
const endOfString = (json: string, from: number): number => {
  let at = json.indexOf('"', from + 1)
  while (at !== -1) {
    let slashes = 0
    while (json.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
    at = json.indexOf('"', at + 1)
  }
  return json.length
}

const skipSpace = (json: string, from: number): number => {
  let at = from
  while (isSpace(json.charCodeAt(at))) at++
  return at
}

const endOfScalar = (json: string, from: number): number => {
  let at = from
  for (; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === COMMA || isClosing(code) || isSpace(code)) break
  }
  return at
}

/** What the JSON string literal from `from` to `to`, quotes included, stands for. */
export const decodeString = (json: string, from: number, to: number): string => {
  const inside = json.slice(from + 1, to - 1)
  return inside.includes('\\') ? (JSON.parse(json.slice(from, to)) as string) : inside
}

/** A key, and the one that came behind it the last time: a sensor writes its keys in the same order again and again. */
interface Key {
  readonly name: string
  /** As it is usually written, quotes included. */
  readonly literal: string
  next: Key | undefined
}

/** Keys that are kept, and the longest of them: an attacker who varies them costs no memory. */
const MOST_KEYS = 4096
const LONGEST_KEY = 256

const keys = new Map<string, Key>()
const before: Key = { name: '', literal: '', next: undefined }

const keyOf = (literal: string): Key => {
  const known = keys.get(literal)
  if (known !== undefined) return known
  // Parsed, not cut out: the engine keeps a part of a text as a reference to the whole.
  const name = JSON.parse(literal) as string
  const usual = JSON.stringify(name)
  const key = keys.get(usual) ?? { name, literal: usual, next: undefined }
  if (usual.length > LONGEST_KEY) return key
  if (keys.size >= MOST_KEYS) {
    keys.clear()
    before.next = undefined
  }
  keys.set(usual, key)
  return key
}

/** Takes one scalar of a JSON text: the index of its first character, the one behind its last, and its key. */
export type ScalarVisitor = (from: number, to: number, key: string | undefined) => void

/**
 * Visits the scalars of a valid JSON text (strings, numbers, true, false, null; not keys), in order. A scalar's key is the
 * key that it, or the list that it is in, stands under. Works without recursion, so depth does not matter.
 */
export const visitScalars = (json: string, visit: ScalarVisitor): void => {
  const containers: (string | undefined)[] = []
  let latest = before
  let key: string | undefined
  let at = 0
  while (at < json.length) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) {
      const { next } = latest
      const expected = next !== undefined && json.startsWith(next.literal, at) ? next : undefined
      const end = expected === undefined ? endOfString(json, at) : at + expected.literal.length
      const colon = skipSpace(json, end)
      if (json.charCodeAt(colon) === COLON) {
        const found = expected ?? keyOf(json.slice(at, end))
        if (found.literal.length <= LONGEST_KEY) latest = latest.next = found
        key = found.name
        at = skipSpace(json, colon + 1)
        if (json.charCodeAt(at) !== QUOTE) continue
        const from = at
        at = endOfString(json, from)
        visit(from, at, key)
      } else {
        visit(at, end, key)
        at = end
      }
    } else if (isOpening(code)) {
      containers.push(key)
      at++
    } else if (isClosing(code)) {
      key = containers.pop()
      at++
    } else if (code === COMMA || isSpace(code)) at++
    else {
      const end = endOfScalar(json, at)
      visit(at, end, key)
      at = end
    }
  }
}

/** The items of a JSON array, as the very text that each has in it. The text must be a valid JSON array. */
export const itemsOf = (json: string): string[] => {
  const items: string[] = []
  let depth = 0
  let from = 0
  let at = 0
  const item = () => {
    const text = json.slice(from, at).trim()
    if (text !== '') items.push(text)
  }
  while (at < json.length) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(json, at)
      continue
    }
    if (isOpening(code) && ++depth === 1) from = at + 1
    else if (isClosing(code) && --depth === 0) item()
    else if (code === COMMA && depth === 1) {
      item()
      from = at + 1
    }
    at++
  }
  return items
}
