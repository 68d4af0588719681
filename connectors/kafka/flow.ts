import type { Consumer } from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import type { WatchedConsumer } from './consumer.ts'

/** Which partitions a consumer reads, and from where. */
export interface Flow {
  pause(topic: string, partition: number): void
  /** Reads on at `offset`. Throws NS_SERVICE_UNREACHABLE while the consumer is out of its group. */
  start(topic: string, partition: number, offset: number): void
}

/** Makes the flow of a consumer, which kafkajs lets nobody touch while it is out of its group. */
export const createFlow = (consumer: Consumer, watch: WatchedConsumer): Flow => ({
  pause: (topic, partition) => {
    if (watch.running()) consumer.pause([{ topic, partitions: [partition] }])
  },
  start: (topic, partition, offset) => {
    if (!watch.running()) throw new SentinelError('NS_SERVICE_UNREACHABLE', 'the consumer is reconnecting')
    consumer.seek({ topic, partition, offset: String(offset) })
    consumer.resume([{ topic, partitions: [partition] }])
  },
})
