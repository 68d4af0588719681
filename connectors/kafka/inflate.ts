/** Says that what a batch inflates to is over the limit; the code is the one that zlib uses for it. */
export const overLimit = (): Error =>
  Object.assign(new Error('inflates beyond the limit'), { code: 'ERR_BUFFER_TOO_LARGE' })

/**
 * Appends to `out` at `end` the `length` bytes that lie `offset` bytes back; they may overlap, which repeats them.
 * Throws an Error when they lie before the start or would not fit.
 */
export const copyBack = (out: Buffer, end: number, offset: number, length: number): void => {
  if (offset === 0 || offset > end || end + length > out.length) throw new Error('bad copy')
  if (offset >= length) {
    out.copyWithin(end, end - offset, end - offset + length)
    return
  }
  for (let i = 0; i < length; i++) out[end + i] = out[end + i - offset] ?? 0
}
