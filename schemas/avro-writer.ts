/** Bytes of a text that takes one byte for its length. */
const SHORT = 63

/** Bytes that values are written into one behind the other, before there is a new buffer. */
const BUFFER_BYTES = 64 * 1024

const LARGEST_LONG = 9_007_199_254_740_990

/** Bytes of the longest whole number, and of the longest UTF-16 unit in UTF-8. */
const LONGEST_LONG = 10
const MOST_BYTES = 3

/** Whole numbers below it, and not negative ones, are written with the operators for 32 bits. */
const SMALL = 2 ** 30

/**
 * Writes Avro values one after the other. Made for one user at a time: `begin` before each value, `end` behind it. Throws
 * an Error that says what does not fit.
 */
export class AvroWriter {
  private buffer: Buffer = Buffer.alloc(0)
  private start = 0
  private at = 0

  /** Leaves room for `head` bytes in front of the value. */
  begin(head: number): void {
    this.start = this.at
    this.reserve(head)
    this.at += head
  }

  /** The value with its head, in bytes that stay as they are. */
  end(): Buffer {
    return this.buffer.subarray(this.start, this.at)
  }

  boolean(value: boolean): void {
    if (typeof value !== 'boolean') throw misfit('boolean', value)
    this.byte(value ? 1 : 0)
  }

  int(value: number): void {
    if (value !== (value | 0)) throw misfit('int', value)
    this.long(value)
  }

  long(value: number): void {
    if (!Number.isInteger(value) || Math.abs(value) > LARGEST_LONG) throw misfit('long', value)
    this.reserve(LONGEST_LONG)
    if (value >= 0 && value < SMALL) {
      let bits = value << 1
      for (; bits > 0x7f; bits >>>= 7) this.buffer[this.at++] = (bits & 0x7f) | 0x80
      this.buffer[this.at++] = bits
      return
    }
    let rest = value >= 0 ? value * 2 : -value * 2 - 1
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.buffer[this.at++] = rest
  }

  double(value: number): void {
    if (typeof value !== 'number') throw misfit('double', value)
    this.reserve(8)
    this.buffer.writeDoubleLE(value, this.at)
    this.at += 8
  }

  float(value: number): void {
    if (typeof value !== 'number') throw misfit('float', value)
    this.reserve(4)
    this.at = this.buffer.writeFloatLE(value, this.at)
  }

  bytes(value: Buffer): void {
    if (!Buffer.isBuffer(value)) throw misfit('bytes', value)
    this.long(value.length)
    this.reserve(value.length)
    this.at += value.copy(this.buffer, this.at)
  }

  text(value: string): void {
    if (typeof value !== 'string') throw misfit('string', value)
    if (value.length <= SHORT && this.shortText(value)) return
    const { length } = value
    this.reserve(2 * LONGEST_LONG + MOST_BYTES * length)
    const head = this.at
    this.long(length)
    const written = this.buffer.write(value, this.at, MOST_BYTES * length, 'utf8')
    // Of ASCII, which nearly every text is, there are as many bytes as were announced.
    if (written !== length) this.rewrite(value, head, written)
    else this.at += written
  }

  textOrNull(value: string | null): void {
    if (this.presence(value)) this.text(value)
  }

  intOrNull(value: number | null): void {
    if (this.presence(value)) this.int(value)
  }

  longOrNull(value: number | null): void {
    if (this.presence(value)) this.long(value)
  }

  doubleOrNull(value: number | null): void {
    if (this.presence(value)) this.double(value)
  }

  /** One of the symbols of an enum. */
  symbol<S extends string>(value: S, symbols: readonly S[]): void {
    const index = symbols.indexOf(value)
    if (index < 0) throw misfit('enum', value)
    this.long(index)
  }

  texts(values: readonly string[]): void {
    this.array(values, writeText)
  }

  ints(values: readonly number[]): void {
    this.array(values, writeInt)
  }

  /** An array, each item as `write` does: one block of all of them, and one without any behind it. */
  array<T>(values: readonly T[], write: (value: T, to: AvroWriter) => void): void {
    if (values.length > 0) {
      this.long(values.length)
      for (const value of values) write(value, this)
    }
    this.byte(0)
  }

  /** The branch of a union of null and one other type; whether a value of the latter is to follow. */
  presence<T>(value: T | null): value is T {
    this.byte(value === null ? 0 : 2)
    return value !== null
  }

  private byte(value: number): void {
    this.reserve(1)
    this.buffer[this.at++] = value
  }

  /** Writes a text of which it is known now how many bytes it takes. */
  private rewrite(value: string, head: number, length: number): void {
    this.at = head
    this.long(length)
    this.at += this.buffer.write(value, this.at, length, 'utf8')
  }

  /** Whether it is ASCII, and was written: nearly every text is short. */
  private shortText(value: string): boolean {
    const { length } = value
    this.reserve(1 + length)
    const { buffer, at } = this
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) return false
      buffer[at + 1 + i] = code
    }
    buffer[at] = 2 * length
    this.at = at + 1 + length
    return true
  }

  /** Makes room; what is written of the present value moves to the new buffer. */
  private reserve(more: number): void {
    if (this.at + more <= this.buffer.length) return
    const written = this.buffer.subarray(this.start, this.at)
    const bytes = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, 2 * (written.length + more)))
    written.copy(bytes)
    this.buffer = bytes
    this.start = 0
    this.at = written.length
  }
}

const writeText = (value: string, to: AvroWriter): void => to.text(value)
const writeInt = (value: number, to: AvroWriter): void => to.int(value)

const misfit = (type: string, value: unknown): Error =>
  new Error(`${value === null ? 'null' : typeof value} where there must be ${type}`)
