import { PassThrough } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createFlusher, type Sink } from './outbox.ts'

const frame = (text: string) => Buffer.from(text)

/** A flusher whose turns of the event loop are the test's calls of `turn`, and whose clock stands still but for `advance`. */
const create = () => {
  let scheduled: (() => void)[] = []
  let time = 0
  const delays: number[] = []
  const flusher = createFlusher({
    schedule: (run, afterMs) => {
      scheduled.push(run)
      delays.push(afterMs)
    },
    now: () => time,
  })
  return {
    flusher,
    delays,
    advance: (ms: number) => {
      time += ms
    },
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

  it('rests after a round of writes in proportion to what it took, but never long', () => {
    const { flusher, turn, delays, advance } = create()
    const { sink, state } = createSink()
    const outbox = flusher.open(sink, 1_000)
    const writeTaking = (ms: number) => {
      state.write = () => {
        advance(ms)
        return true
      }
      outbox.add(frame('a'))
      turn()
    }
    writeTaking(5)
    advance(1)
    outbox.add(frame('b'))
    advance(1)
    outbox.add(frame('c'))
    turn()
    writeTaking(1_000)
    outbox.add(frame('d'))
    expect(delays).toEqual([0, 19, 20, 50])
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

  describe('of a client that does not read', () => {
    const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
    const from = (severity: (typeof SEVERITIES)[number], offset: number) => ({
      channel: 'threats' as const,
      severity,
      partition: offset % 2,
      offset,
    })
    const open = (cap: number) => {
      const { flusher, turn } = create()
      const slow = createSink()
      slow.state.writableNeedDrain = true
      return { turn, slow, outbox: flusher.open(slow.sink, cap) }
    }
    const noticeOf = (text: string) => JSON.parse(text.slice(text.indexOf('{'))) as Record<string, unknown>

    it('leaves out the least severe first, then tells what, and from where to resume', () => {
      const { turn, slow, outbox } = open(100)
      slow.state.writableLength = 40
      for (const [index, severity] of SEVERITIES.entries())
        outbox.add(Buffer.alloc(10, 'a'), from(severity, index))
      // 80 of 100 bytes: only what is critical is taken now.
      for (const [index, severity] of SEVERITIES.entries())
        outbox.add(Buffer.alloc(10, 'b'), from(severity, 4 + index))
      turn()
      expect(slow.writes).toEqual([])
      slow.drain()
      expect(slow.writes).toHaveLength(1)
      const text = slow.text()
      expect(text.startsWith(`${'a'.repeat(40)}${'b'.repeat(10)}`)).toBe(true)
      expect(noticeOf(text)).toEqual({
        type: 'dropped',
        channel: 'threats',
        count: 3,
        severities: { low: 1, medium: 1, high: 1 },
        positions: [
          { partition: 0, offset: 3 },
          { partition: 1, offset: 4 },
        ],
      })
    })

    it('makes room at the cap out of what waits, and gives up when only critical ones are left', () => {
      const { turn, slow, outbox } = open(100)
      slow.state.writableLength = 20
      for (const [index, severity] of SEVERITIES.entries())
        outbox.add(Buffer.alloc(10, 'a'), from(severity, index))
      const critical = (offset: number) => outbox.add(Buffer.alloc(10, 'c'), from('critical', offset))
      for (let offset = 4; offset < 11; offset += 1)
        expect([offset, critical(offset)]).toEqual([offset, true])
      slow.drain()
      turn()
      expect(noticeOf(slow.text())).toMatchObject({ severities: { low: 1, medium: 1, high: 1 } })
      const again = open(100)
      again.slow.state.writableLength = 95
      expect(again.outbox.add(Buffer.alloc(10), from('critical', 1))).toBe(false)
    })

    it('is told also when nothing else comes', () => {
      const { turn, slow, outbox } = open(100)
      slow.state.writableLength = 90
      expect(outbox.add(Buffer.alloc(10), from('low', 5))).toBe(true)
      turn()
      slow.drain()
      expect(noticeOf(slow.text())).toMatchObject({ count: 1, positions: [{ partition: 1, offset: 4 }] })
    })

    it('never leaves out what is critical or an answer, and accounts for the rest, whatever happens', () => {
      const step = fc.oneof(
        fc.record({
          severity: fc.constantFrom(...SEVERITIES, undefined),
          size: fc.integer({ min: 1, max: 30 }),
        }),
        fc.constantFrom('turn' as const, 'drain' as const, 'stop' as const),
      )
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), steps => {
          const { turn, slow, outbox } = open(200)
          let taken = 0
          let alive = true
          const critical: number[] = []
          for (const [index, each] of steps.entries()) {
            if (each === 'turn') turn()
            else if (each === 'drain') slow.drain()
            else if (each === 'stop') slow.state.writableNeedDrain = true
            else if (alive) {
              const text = `<${index} ${'x'.repeat(each.size)}>`
              const origin = each.severity === undefined ? undefined : from(each.severity, index)
              alive = outbox.add(frame(text), origin)
              if (alive) taken += 1
              if (alive && (origin === undefined || origin.severity === 'critical')) critical.push(index)
            }
          }
          if (!alive) return
          slow.drain()
          turn()
          const text = slow.text()
          const seen = [...text.matchAll(/<(\d+) x+>/g)].map(([, index]) => Number(index))
          const told = [...text.matchAll(/\{"type":"dropped".*?\]\}/g)].map(([notice]) => noticeOf(notice))
          const missing = told.reduce((sum, { count }) => sum + Number(count), 0)
          expect(seen).toEqual(seen.toSorted((a, b) => a - b))
          expect(critical.filter(index => !seen.includes(index))).toEqual([])
          expect(seen.length + missing).toBe(taken)
        }),
        { numRuns: 500 },
      )
    })
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
