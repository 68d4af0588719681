/** UTF-8 bytes of the longest text that is remembered. */
const LONGEST = 64
/** How many texts are remembered, a power of two: each has one place, by its hash, and the latest takes it. */
const PLACES = 4096

/** Largest whole number that the Avro library reads as a long, less one than is safe. */
const LARGEST_LONG = 9_007_199_254_740_990

/**
 * Reads Avro values one after the other. Events say the same few texts again and again, and an entity comes back: short
 * texts of ASCII are remembered by their bytes, so that most are found in place of being made anew.
 *
 * Made for one user at a time: `begin` with each value, `end` when all of it is read. Throws an Error that says what is
 * wrong with the bytes.
 */
export class AvroReader {
  private bytes: Buffer = Buffer.alloc(0)
  private at = 0
  private readonly texts: string[] = new Array<string>(PLACES).fill('')
  private readonly known = new Uint8Array(PLACES * LONGEST)

  begin(bytes: Buffer, at: number): void {
    this.bytes = bytes
    this.at = at
  }

  end(): void {
    if (this.at > this.bytes.length) throw new Error('truncated buffer')
    if (this.at < this.bytes.length) throw new Error('trailing data')
  }

  long(): number {
    const { bytes } = this
    let byte = bytes[this.at++] ?? 0
    if (byte < 0x80) return (byte >> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let factor = 0x80; ; factor *= 0x80) {
      byte = bytes[this.at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    const number = value % 2 === 0 ? value / 2 : -(value + 1) / 2
    if (Math.abs(number) > LARGEST_LONG) throw new Error('potential precision loss')
    return number
  }

  double(): number {
    const value = this.bytes.readDoubleLE(this.at)
    this.at += 8
    return value
  }

  text(): string {
    const start = this.beginText()
    return this.at - start > LONGEST
      ? this.bytes.toString('utf8', start, this.at)
      : this.remembered(start, this.at)
  }

  /** A text that is not worth remembering: it does not come again. */
  uniqueText(): string {
    const start = this.beginText()
    return this.bytes.toString('utf8', start, this.at)
  }

  /** Whether the value of a union of null and one other type is there. */
  present(): boolean {
    const branch = this.bytes[this.at++]
    if (branch === 0) return false
    if (branch !== 2) throw new Error('no such branch of a union')
    return true
  }

  textOrNull(): string | null {
    return this.present() ? this.text() : null
  }

  longOrNull(): number | null {
    return this.present() ? this.long() : null
  }

  doubleOrNull(): number | null {
    return this.present() ? this.double() : null
  }

  /** One of the symbols of an enum. */
  symbol<S extends string>(symbols: readonly S[]): S {
    const symbol = symbols[this.long()]
    if (symbol === undefined) throw new Error('no such symbol of an enum')
    return symbol
  }

  /** Passes over so many bytes. */
  skip(bytes: number): void {
    this.at += bytes
  }

  skipText(): void {
    const length = this.long()
    if (length < 0) throw new Error('a text of negative length')
    this.at += length
  }

  skipTextOrNull(): void {
    if (this.present()) this.skipText()
  }

  /** Passes over an array of texts. */
  skipTexts(): void {
    for (let count = this.long(); count !== 0 && this.at <= this.bytes.length; count = this.long()) {
      // A negative count is followed by the size of its block in bytes.
      if (count < 0) this.skipText()
      else for (let i = 0; i < count && this.at <= this.bytes.length; i++) this.skipText()
    }
  }

  /** Passes over a text; where its bytes begin. */
  private beginText(): number {
    const from = this.at
    const length = this.long()
    const start = this.at
    const end = start + length
    if (length < 0 || end > this.bytes.length) throw new Error(`no text of ${length} bytes at ${from}`)
    this.at = end
    return start
  }

  private remembered(start: number, end: number): string {
    const { bytes, known } = this
    let hash = end - start
    let ored = 0
    for (let i = start; i < end; i++) {
      const byte = bytes[i] ?? 0
      hash = (Math.imul(hash, 31) + byte) | 0
      ored |= byte
    }
    if (ored >= 0x80) return bytes.toString('utf8', start, end)
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1)
    const before = this.texts[place] ?? ''
    const from = place * LONGEST
    if (before.length === end - start) {
      let i = start
      while (i < end && bytes[i] === known[from + i - start]) i++
      if (i === end) return before
    }
    const text = bytes.toString('latin1', start, end)
    this.texts[place] = text
    for (let i = start; i < end; i++) known[from + i - start] = bytes[i] ?? 0
    return text
  }
}
