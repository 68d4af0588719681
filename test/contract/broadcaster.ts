import { describe, expect, it } from '@jest/globals'
import type { Broadcaster, Message } from '../../gateway/sockets/broadcaster.ts'
import { until } from '../support/services.ts'
import { alertAt, asMessage, threatAt } from '../support/threats.ts'

/** What every Broadcaster must do. `create` makes one that nobody else broadcasts to. */
export const broadcasterContract = (create: () => Promise<Broadcaster>): void => {
  const threat = (offset: number) => asMessage(threatAt(offset))
  const alert = (offset: number) => asMessage(alertAt(offset))
  const withReceiver = async () => {
    const broadcaster = await create()
    const received: Message[] = []
    const end = await broadcaster.subscribe(message => received.push(message))
    return { broadcaster, received, end }
  }

  describe('a broadcaster', () => {
    it('hands over threats and alerts as they were given', async () => {
      const { broadcaster, received } = await withReceiver()
      await broadcaster.broadcastThreat(threat(7))
      await broadcaster.broadcastAlert(alert(3))
      expect(received).toEqual([threat(7), alert(3)])
    })

    it('keeps the order of the calls, also of those that do not wait for each other', async () => {
      const { broadcaster, received } = await withReceiver()
      await Promise.all(
        Array.from({ length: 200 }, (_, offset) => broadcaster.broadcastThreat(threat(offset))),
      )
      expect(received.map(({ delivery }) => delivery.position.offset)).toEqual(
        Array.from({ length: 200 }, (_, i) => i),
      )
    })

    it('resolves when its own subscribers have the message', async () => {
      const { broadcaster, received } = await withReceiver()
      for (let offset = 0; offset < 20; offset += 1) {
        await broadcaster.broadcastThreat(threat(offset))
        expect(received).toHaveLength(offset + 1)
      }
    })

    it('hands a message to each subscriber, and to none that has ended', async () => {
      const { broadcaster, received, end } = await withReceiver()
      const others: Message[] = []
      await broadcaster.subscribe(message => others.push(message))
      await broadcaster.broadcastThreat(threat(1))
      await end()
      await broadcaster.broadcastThreat(threat(2))
      await until(() => others.length === 2)
      expect(received).toEqual([threat(1)])
    })

    it('takes a message that nobody waits for', async () => {
      const broadcaster = await create()
      await broadcaster.broadcastThreat(threat(1))
      const { received } = { received: [] as Message[] }
      await broadcaster.subscribe(message => received.push(message))
      await broadcaster.broadcastThreat(threat(2))
      expect(received).toEqual([threat(2)])
    })

    it('passes on fields that a newer release has added', async () => {
      const { broadcaster, received } = await withReceiver()
      const delivery = threatAt(1)
      const newer = asMessage({ ...delivery, data: { ...delivery.data, novel: 'field' } })
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
