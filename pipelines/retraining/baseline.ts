import { readRecords } from '../../connectors/collect/files.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { trainForestModel } from '../../models/trainers/train.ts'
import { isSentinelError } from '../../runtime/errors.ts'
import type { Event } from '../../schemas/generated.ts'
import { bundledCapture } from '../up/capture.ts'

/** When the capture counts as having arrived, in ms since 1970: after all of its events, the same on every machine. */
const ARRIVAL = Date.UTC(2026, 10, 24)

/** What makes the baseline what it is; a change of any of it is a new version. */
const BASELINE_OPTIONS = { version: 'baseline-1', sequence: 1, seed: 20_261_124 }

/** Every event of the bundled capture, in the order in which a replay sends them. */
export const captureEvents = async (): Promise<Event[]> => {
  const normalise = createNormalise({ assumeTimeZone: 'UTC', secretsMode: 'drop' })
  const events: Event[] = []
  let offset = 0
  for (const file of bundledCapture()) {
    for await (const record of readRecords(file)) {
      const origin = { topic: 'raw-events', partition: 0, offset: offset++, timestamp: ARRIVAL }
      try {
        events.push(...normalise(record.toString('utf8'), origin))
      } catch (error) {
        // What ingest would put among the dead letters is nothing to learn from.
        if (!isSentinelError(error) || error.outcome !== 'poison') throw error
      }
    }
  }
  return events
}

/** Trains the model that ships. Same sources, features and capture in, same bytes out. */
export const trainBaseline = async (): Promise<TrainedModel> =>
  trainForestModel(await captureEvents(), BASELINE_OPTIONS)
