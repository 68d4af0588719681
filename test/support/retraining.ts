import { observe } from '../../models/features/observe.ts'
import { createRandom } from '../../models/trainers/random.ts'
import { trainModel } from '../../models/trainers/train.ts'
import type { ModelRegistry } from '../../pipelines/models/registry.ts'
import { makeEvent } from './events.ts'
import { NO_ORIGIN } from './models.ts'
import { ARRIVED } from './scoring.ts'

/** Usual traffic of a few entities, the same for the same numbers. */
export const traffic = (count: number, seed = 0) => {
  const random = createRandom(seed + 1)
  return Array.from({ length: count }, () => ({
    entity: `ip:203.0.113.${random.below(40)}`,
    dstPort: [22, 80, 443, 8080][random.below(4)] ?? 22,
    user: `user-${random.below(7)}`,
    outcome: random.below(50) === 0 ? ('failure' as const) : ('success' as const),
    bytesIn: Math.floor(1_000 / (random.next() + 0.01)),
    durationMs: Math.floor(100 / (random.next() + 0.01)),
  }))
}

/** Has a model that knows this traffic in force. */
export const promoteFirst = async (models: Pick<ModelRegistry, 'publish' | 'point'>): Promise<void> => {
  const events = traffic(3_000, 7).map((event, i) => makeEvent({ ...event, time: ARRIVED + i * 1000 }))
  const model = trainModel(observe(events), { version: 'first', sequence: 2, seed: 1 })
  await models.publish(model, NO_ORIGIN)
  await models.point('champion', 'first', 'a test')
}
