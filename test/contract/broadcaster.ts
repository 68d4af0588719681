import { describe, expect, it } from '@jest/globals'
import type { Broadcaster } from '../../gateway/sockets/broadcaster.ts'
import type { Delivery } from '../../schemas/wire.ts'
import { until } from '../support/services.ts'
import { alertAt, threatAt } from '../support/threats.ts'

/** What every Broadcaster must do. `create` makes one that nobody else broadcasts to. */
export const broadcasterContract = (create: () => Promise<Broadcaster>): void => {
  const withReceiver = async () => {
    const broadcaster = await create()
    const received: Delivery[] = []
    const end = await broadcaster.subscribe(delivery => received.push(delivery))
    return { broadcaster, received, end }
  }

  describe('a broadcaster', () => {
    it('hands over threats and alerts as they were given', async () => {
      const { broadcaster, received } = await withReceiver()
      await broadcaster.broadcastThreat(threatAt(7))
      await broadcaster.broadcastAlert(alertAt(3))
      expect(received).toEqual([threatAt(7), alertAt(3)])
    })

    it('keeps the order of the calls, also of those that do not wait for each other', async () => {
      const { broadcaster, received } = await withReceiver()
      await Promise.all(
        Array.from({ length: 200 }, (_, offset) => broadcaster.broadcastThreat(threatAt(offset))),
      )
      expect(received.map(({ position }) => position.offset)).toEqual(
        Array.from({ length: 200 }, (_, i) => i),
      )
    })

    it('resolves when its own subscribers have the message', async () => {
      const { broadcaster, received } = await withReceiver()
      for (let offset = 0; offset < 20; offset += 1) {
        await broadcaster.broadcastThreat(threatAt(offset))
        expect(received).toHaveLength(offset + 1)
      }
    })

    it('hands a message to each subscriber, and to none that has ended', async () => {
      const { broadcaster, received, end } = await withReceiver()
      const others: Delivery[] = []
      await broadcaster.subscribe(delivery => others.push(delivery))
      await broadcaster.broadcastThreat(threatAt(1))
      await end()
      await broadcaster.broadcastThreat(threatAt(2))
      await until(() => others.length === 2)
      expect(received).toEqual([threatAt(1)])
    })

    it('takes a message that nobody waits for', async () => {
      const broadcaster = await create()
      await broadcaster.broadcastThreat(threatAt(1))
      const { received } = { received: [] as Delivery[] }
      await broadcaster.subscribe(delivery => received.push(delivery))
      await broadcaster.broadcastThreat(threatAt(2))
      expect(received).toEqual([threatAt(2)])
    })

    it('refuses what does not fit the wire schema, as the fault of that message', async () => {
      const { broadcaster, received } = await withReceiver()
      const wrong = [
        threatAt(1, { id: '' }),
        threatAt(1, { score: Number.NaN }),
        { ...threatAt(1), position: { partition: 0, offset: -1, previous: null } },
      ]
      for (const delivery of wrong) {
        await expect(broadcaster.broadcastThreat(delivery)).rejects.toMatchObject({ outcome: 'poison' })
      }
      expect(received).toEqual([])
    })

    it('passes on fields that a newer release has added', async () => {
      const { broadcaster, received } = await withReceiver()
      const delivery = threatAt(1)
      const newer = { ...delivery, data: { ...delivery.data, novel: 'field' } }
      await broadcaster.broadcastThreat(newer)
      expect(received).toEqual([newer])
    })

    it('is well until it is closed, and may be closed twice', async () => {
      const { broadcaster } = await withReceiver()
      expect(await broadcaster.problem()).toBeUndefined()
      await broadcaster.close()
      await broadcaster.close()
    })
  })
}
