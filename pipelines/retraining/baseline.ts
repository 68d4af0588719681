import { readRecords } from '../../connectors/collect/files.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import type { Observation, TrainedModel } from '../../models/detector.ts'
import { observe } from '../../models/features/observe.ts'
import { trainModel } from '../../models/trainers/train.ts'
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

/** Sensors that report nothing but attacks, and one in how many of their events counts as usual traffic. */
const ATTACK_SENSORS: readonly string[] = ['cowrie', 'opencanary', 'suricata']
const KEPT = 8

/**
 * What the capture says of usual traffic: all that the network sensor saw, and a few of the events of honeypots and of
 * intrusion detection. The capture holds more of these than any network, and a model that learns from all of them takes
 * attacks for the norm.
 */
const usualTraffic = (observations: readonly Observation<Event>[]): Observation[] => {
  let attacks = 0
  return observations.filter(({ event }) => !ATTACK_SENSORS.includes(event.source) || attacks++ % KEPT === 0)
}

/** Trains the model that ships. Same sources, features and capture in, same bytes out. */
export const trainBaseline = async (): Promise<TrainedModel> =>
  trainModel(usualTraffic(observe(await captureEvents())), BASELINE_OPTIONS)
