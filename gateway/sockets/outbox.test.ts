import { PassThrough } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createFlusher, type Sink } from './outbox.ts'

const frame = (text: string) => Buffer.from(text)

/** A flusher whose turns of the event loop are the test's calls of `turn`. */
const create = () => {
  let scheduled: (() => void)[] = []
  const flusher = createFlusher(run => scheduled.push(run))
  return {
    flusher,
    turn: () => {
      const runs = scheduled
      scheduled = []
      for (const run of runs) run()
    },
  }
}

/** A socket that notes what is written, and drains when told to. */
const createSink = () => {
  const writes: Buffer[] = []
  let onDrain: (() => void) | undefined
  const sink = {
    writableLength: 0,
    writableNeedDrain: false,
    destroyed: false,
    write: (chunk: Buffer) => {
      writes.push(chunk)
      return true
    },
    once: (_event: string, listener: () => void) => {
      onDrain = listener
      return sink
    },
  }
  return {
    sink: sink as unknown as Sink,
    state: sink,
    writes,
    text: () => Buffer.concat(writes).toString(),
    drain: () => {
      sink.writableNeedDrain = false
      sink.writableLength = 0
      onDrain?.()
    },
  }
}

describe('the outbox', () => {
  it('writes all frames of a turn at once, in order', () => {
    const { flusher, turn } = create()
    const { sink, writes } = createSink()
    const outbox = flusher.open(sink, 1_000)
    for (const text of ['a', 'b', 'c']) outbox.add(frame(text))
    expect(writes).toEqual([])
    turn()
    expect(writes.map(String)).toEqual(['abc'])
    turn()
    expect(writes).toHaveLength(1)
  })

  it('writes the very same buffer to sockets that wait for the same frames', () => {
    const { flusher, turn } = create()
    const sinks = [createSink(), createSink(), createSink()]
    const frames = [frame('a'), frame('b')]
    for (const { sink } of sinks) {
      const outbox = flusher.open(sink, 1_000)
      for (const each of frames) outbox.add(each)
    }
    flusher.open(createSink().sink, 1_000).add(frame('c'))
    turn()
    const [first, ...others] = sinks.map(({ writes }) => writes[0])
    expect(first?.toString()).toBe('ab')
    for (const other of others) expect(other).toBe(first)
  })

  it('writes nothing to a socket that is behind, until it has drained', () => {
    const { flusher, turn } = create()
    const slow = createSink()
    const outbox = flusher.open(slow.sink, 1_000)
    slow.state.writableNeedDrain = true
    slow.state.writableLength = 500
    outbox.add(frame('a'))
    turn()
    outbox.add(frame('b'))
    turn()
    expect(slow.writes).toEqual([])
    expect(outbox.bytes).toBe(502)
    slow.drain()
    expect(slow.writes.map(String)).toEqual(['ab'])
  })

  it('does not wait for the end of the turn with more than 64 KiB', () => {
    const { flusher } = create()
    const { sink, writes } = createSink()
    const outbox = flusher.open(sink, 100_000)
    for (let i = 0; i < 100; i += 1) expect(outbox.add(Buffer.alloc(10_000))).toBe(true)
    expect(writes.length).toBeGreaterThan(10)
  })

  it('counts what waits in the socket, and gives up at the cap', () => {
    const { flusher, turn } = create()
    const slow = createSink()
    const outbox = flusher.open(slow.sink, 10)
    slow.state.writableLength = 6
    expect(outbox.add(frame('abcd'))).toBe(true)
    expect(outbox.add(frame('e'))).toBe(false)
    turn()
    slow.drain()
    expect(slow.writes).toEqual([])
    expect(outbox.add(frame('f'))).toBe(false)
  })

  it('takes a frame that is larger than the cap, when nothing is before it', () => {
    const { flusher, turn } = create()
    const { sink, text } = createSink()
    const outbox = flusher.open(sink, 4)
    expect(outbox.add(frame('a long message'))).toBe(true)
    turn()
    expect(text()).toBe('a long message')
  })

  it('writes what waits when it is closed, and nothing after', () => {
    const { flusher, turn } = create()
    const { sink, text } = createSink()
    const outbox = flusher.open(sink, 100)
    outbox.add(frame('last'))
    outbox.close()
    expect(outbox.add(frame('later'))).toBe(false)
    turn()
    expect(text()).toBe('last')
  })

  it('leaves a stream that is gone alone', () => {
    const { flusher, turn } = create()
    const { sink, state, writes } = createSink()
    flusher.open(sink, 100).add(frame('x'))
    state.destroyed = true
    turn()
    expect(writes).toEqual([])
  })

  it('loses, doubles and reorders nothing, whatever the turns and drains of a real stream', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }), async sizes => {
        const { flusher, turn } = create()
        const stream = new PassThrough({ highWaterMark: 64 })
        const outbox = flusher.open(stream, 1_000_000)
        const sent = sizes.map((size, index) => String.fromCharCode(65 + (index % 26)).repeat(size))
        let received = ''
        for (const [index, text] of sent.entries()) {
          outbox.add(frame(text))
          if (index % 3 === 0) turn()
          if (index % 7 === 0) received += stream.read()?.toString() ?? ''
        }
        turn()
        stream.on('data', (chunk: Buffer) => {
          received += chunk.toString()
        })
        while (outbox.bytes > 0) await new Promise(resolve => setImmediate(resolve))
        await new Promise(resolve => stream.end(resolve))
        expect(received).toBe(sent.join(''))
      }),
      { numRuns: 50 },
    )
  })
})
