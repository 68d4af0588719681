/** An address as eight words of 16 bits: IPv4 mapped into IPv6, so that every spelling of one is equal. */
type Words = Uint16Array

const WORDS = 8
const WORD_BITS = 16
/** Bits that an IPv4 address has before it when it is mapped into IPv6, and the last word of them. */
const MAPPED_BITS = 96
const MAPPED = 0xffff

const ZERO = 48
const DOT = 46
const COLON = 58

const digitOf = (code: number): number => (code >= ZERO && code < ZERO + 10 ? code - ZERO : -1)

const hexDigitOf = (code: number): number => {
  const digit = digitOf(code)
  if (digit >= 0) return digit
  const letter = (code | 0x20) - 97
  return letter >= 0 && letter < 6 ? letter + 10 : -1
}

/** Reads `a.b.c.d` from `start` to the end into two words. */
const readV4 = (text: string, start: number, words: Words, at: number): boolean => {
  let value = 0
  let digits = 0
  let part = 0
  for (let i = start; i <= text.length; i += 1) {
    const code = i === text.length ? DOT : text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || part === 4) return false
      const word = at + (part >> 1)
      words[word] = part % 2 === 0 ? value << 8 : (words[word] ?? 0) | value
      part += 1
      value = 0
      digits = 0
      continue
    }
    const digit = digitOf(code)
    if (digit < 0) return false
    value = value * 10 + digit
    digits += 1
    if (digits > 3 || value > 255) return false
  }
  return part === 4
}

/** Moves the words from `gap` up to `count` to the end, and puts zeros in their place. */
const stretch = (words: Words, gap: number, count: number): void => {
  words.copyWithin(WORDS - (count - gap), gap, count)
  words.fill(0, gap, WORDS - (count - gap))
}

const readV6 = (text: string, start: number, words: Words): boolean => {
  let count = 0
  let gap = -1
  let i = start
  while (i < text.length) {
    if (text.charCodeAt(i) === COLON) {
      // Two colons stand for zeros, once; a single one only between words.
      const isDouble = text.charCodeAt(i + 1) === COLON
      if (isDouble ? gap >= 0 : count === 0 || i + 1 === text.length) return false
      if (isDouble) gap = count
      i += isDouble ? 2 : 1
      if (text.charCodeAt(i) === COLON) return false
      continue
    }
    if (count === WORDS) return false
    const from = i
    let value = 0
    while (i < text.length && i - from <= 4) {
      const digit = hexDigitOf(text.charCodeAt(i))
      if (digit < 0) break
      value = (value << 4) | digit
      i += 1
    }
    if (i < text.length && text.charCodeAt(i) === DOT) {
      if (count > WORDS - 2 || !readV4(text, from, words, count)) return false
      count += 2
      i = text.length
      break
    }
    if (i === from || i - from > 4 || (i < text.length && text.charCodeAt(i) !== COLON)) return false
    words[count] = value
    count += 1
  }
  if (gap < 0) return count === WORDS
  if (count === WORDS) return false
  stretch(words, gap, count)
  return true
}

/** Reads the address that a text is from `start` on; false when it is none. */
const readAddress = (text: string, start: number, words: Words): boolean => {
  const colon = text.indexOf(':', start)
  if (colon >= 0) return readV6(text, start, words)
  words.fill(0, 0, WORDS - 3)
  words[WORDS - 3] = MAPPED
  return readV4(text, start, words, WORDS - 2)
}

const isMapped = (words: Words): boolean => {
  for (let i = 0; i < WORDS - 3; i += 1) if (words[i] !== 0) return false
  return words[WORDS - 3] === MAPPED
}

interface Network {
  readonly words: Words
  readonly bits: number
}

const maskOf = (bits: number): number =>
  bits >= WORD_BITS ? 0xffff : (0xffff << (WORD_BITS - bits)) & 0xffff

const networkOf = (text: string): Network => {
  const [address = '', prefix] = text.split('/')
  const words = new Uint16Array(WORDS)
  if (!readAddress(address, 0, words)) throw new Error(`${text} is not a network`)
  const before = address.includes(':') ? 0 : MAPPED_BITS
  const bits = prefix === undefined ? WORDS * WORD_BITS : before + Number(prefix)
  for (let i = 0; i < WORDS; i += 1) {
    words[i] = (words[i] ?? 0) & maskOf(Math.max(0, Math.min(WORD_BITS, bits - i * WORD_BITS)))
  }
  return { words, bits }
}

const isWithin = ({ words: network, bits }: Network, words: Words): boolean => {
  // A network that reaches beyond them is one of IPv6, which the mapped ones are no part of.
  if (bits < MAPPED_BITS && isMapped(words)) return false
  for (let i = 0; i * WORD_BITS < bits; i += 1) {
    if (((words[i] ?? 0) & maskOf(bits - i * WORD_BITS)) !== network[i]) return false
  }
  return true
}

/** Networks that addresses are looked for in. */
export interface Networks {
  /** One text for all spellings of the same networks. */
  readonly key: string
  /** Whether the address that a text is from `start` on lies in one of them. Allocates nothing. */
  contain(text: string, start: number): boolean
}

/** Makes a matcher of addresses and networks that are known to be some. Throws an Error for others. */
export const compileNetworks = (texts: readonly string[]): Networks => {
  const networks = texts.map(networkOf)
  const words = new Uint16Array(WORDS)
  const isNetworkOfIt = (network: Network) => isWithin(network, words)
  const keys = networks.map(network => `${network.words.join(':')}/${network.bits}`)
  return {
    key: [...new Set(keys)].toSorted().join(','),
    contain: (text, start) => readAddress(text, start, words) && networks.some(isNetworkOfIt),
  }
}
