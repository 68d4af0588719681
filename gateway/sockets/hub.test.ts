import { describe, expect, it } from '@jest/globals'
import { makeThreat } from '../../test/support/threats.ts'
import { compileFilter } from './filter.ts'
import { type Batch, createHub, type Gather } from './hub.ts'

const create = (gather?: Gather) => {
  const hub = createHub(gather)
  const received: string[] = []
  const subscriber = (name: string) => ({
    send: ({ frames }: Batch) => {
      for (const frame of frames) received.push(`${name} ${frame}`)
    },
  })
  return { hub, received, subscriber }
}

describe('the hub', () => {
  it('makes one frame for all, and none when nobody wants it', () => {
    const { hub, received, subscriber } = create()
    let made = 0
    const message = (score: number) => ({
      frame: () => {
        made += 1
        return Buffer.from(String(score))
      },
      data: makeThreat({ score }),
    })
    hub.subscribe('threats', subscriber('a'), compileFilter({ score: 0.5 }))
    hub.subscribe('threats', subscriber('b'), compileFilter({ score: 0.7 }))
    expect(hub.deliver('threats', message(0.4))).toBe(0)
    expect(made).toBe(0)
    expect(hub.deliver('threats', message(0.6))).toBe(1)
    expect(hub.deliver('threats', message(0.8))).toBe(2)
    expect(made).toBe(2)
    expect(received).toEqual(['a 0.6', 'a 0.8', 'b 0.8'])
  })

  it('asks equal filters once, until the last who has one is gone', () => {
    const { hub, subscriber } = create()
    let asked = 0
    const filter = () => ({
      key: 'k',
      matches: () => {
        asked += 1
        return true
      },
    })
    const subscribers = ['a', 'b', 'c'].map(subscriber)
    for (const each of subscribers) hub.subscribe('threats', each, filter())
    const message = { frame: () => Buffer.from('x'), data: makeThreat() }
    expect(hub.deliver('threats', message)).toBe(3)
    expect(asked).toBe(1)
    for (const each of subscribers) hub.leave(each)
    expect(hub.deliver('threats', message)).toBe(0)
    expect(asked).toBe(1)
  })

  it('goes on to the others when one leaves because of a message', () => {
    const { hub, received, subscriber } = create()
    const leaving = { send: () => hub.leave(leaving) }
    hub.subscribe('threats', leaving)
    hub.subscribe('threats', subscriber('b'))
    hub.deliver('threats', { frame: () => Buffer.from('x'), data: makeThreat() })
    expect(received).toEqual(['b x'])
    expect(hub.countOf('threats')).toBe(1)
  })

  describe('that waits for the next round', () => {
    const createRounds = () => {
      const works: (() => void)[] = []
      const made = create(work => works.push(work))
      const say = (text: string) =>
        made.hub.deliver('threats', { frame: () => Buffer.from(text), data: makeThreat() })
      return {
        ...made,
        say,
        round: () => {
          for (const work of works.splice(0)) work()
        },
      }
    }

    it('goes to each subscriber once for all messages', () => {
      const { hub, say, round } = createRounds()
      const batches: Batch[] = []
      hub.subscribe('threats', { send: batch => batches.push(batch) })
      say('one')
      say('two')
      expect(batches).toEqual([])
      round()
      round()
      expect(batches.map(({ frames, bytes }) => [frames.join(), bytes])).toEqual([['one,two', 6]])
    })

    it('gives who comes nothing from before, who goes all of it, and nobody anything twice', () => {
      const { hub, received, subscriber, say, round } = createRounds()
      const [a, b, c] = [subscriber('a'), subscriber('b'), subscriber('c')]
      hub.subscribe('threats', a)
      say('1')
      hub.subscribe('threats', b)
      say('2')
      hub.unsubscribe('threats', a)
      say('3')
      hub.subscribe('threats', b, compileFilter({ score: 0 }))
      say('4')
      hub.subscribe('threats', c)
      round()
      round()
      expect(received).toEqual(['a 1', 'a 2', 'b 2', 'b 3', 'b 4'])
    })

    it('does not wait when there is much', () => {
      const { hub, received, subscriber, say } = createRounds()
      hub.subscribe('threats', subscriber('a'))
      for (let i = 0; i < 65; i += 1) say('x'.repeat(1_024))
      expect(received).toHaveLength(64)
    })
  })
})
