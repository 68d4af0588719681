import { inflateRawSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createDeflater } from './deflate.ts'
import { payloadOf, textFrame } from './frame.ts'

const TAIL = Buffer.from([0, 0, 0xff, 0xff])

/** What a client makes of a frame. */
const read = (frame: Buffer): string => {
  const payload = payloadOf(frame)
  const isCompressed = ((frame[0] ?? 0) & 0x40) !== 0
  return (
    isCompressed ? inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: 2 }) : payload
  ).toString()
}

describe('the compressor of frames', () => {
  it('makes frames that say the same in fewer bytes', () => {
    const deflated = createDeflater()
    const text = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ type: 'threat', id })))
    const frame = deflated(textFrame(text))
    expect(frame[0]).toBe(0xc1)
    expect(frame.length).toBeLessThan(text.length / 3)
    expect(read(frame)).toBe(text)
  })

  it('says the same whatever the text, and is never larger', () => {
    const deflated = createDeflater()
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 3_000, size: 'max' }), text => {
        const frame = textFrame(text)
        expect(read(deflated(frame))).toBe(text)
        expect(deflated(frame).length).toBeLessThanOrEqual(frame.length)
      }),
      { numRuns: 200 },
    )
  })

  it('compresses a frame once, whoever gets it', () => {
    const deflated = createDeflater()
    const frame = textFrame('x'.repeat(1_000))
    expect(deflated(frame)).toBe(deflated(frame))
  })

  it('leaves a short one as it is', () => {
    const frame = textFrame('{"type":"pong"}')
    expect(createDeflater()(frame)).toBe(frame)
  })
})
