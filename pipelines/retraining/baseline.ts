import { readRecords } from '../../connectors/collect/files.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import type { Observation, TrainedModel } from '../../models/detector.ts'
import { contactOf } from '../../models/features/contacts.ts'
import { observe } from '../../models/features/observe.ts'
import { trainModel } from '../../models/trainers/train.ts'
import { isPoison } from '../../runtime/errors.ts'
import type { Event } from '../../schemas/generated.ts'
import { bundledCapture } from '../ingest/capture.ts'

/** When the capture counts as having arrived, in ms since 1970: after all of its events, the same on every machine. */
const ARRIVAL = Date.UTC(2026, 10, 24)

/** What makes the baseline what it is; a change of any of it is a new version. */
const BASELINE_OPTIONS = { version: 'baseline-2', sequence: 2, seed: 20_261_124 }

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
        if (!isPoison(error)) throw error
      }
    }
  }
  return events
}

/** Sensors that report nothing but attacks, and one in how many of their events counts as usual traffic. */
const ATTACK_SENSORS: readonly string[] = ['cowrie', 'opencanary', 'suricata']
const KEPT = 8

/** From so many calls in one rhythm on, an event of the capture counts for an implant's. */
const RHYTHM = 2

const inRhythm = ({ event, before }: Observation): boolean =>
  before !== null && (contactOf(before.contacts, event)?.beats ?? 0) >= RHYTHM

/**
 * What the capture says of usual traffic: all that the network sensor saw, and a few of the events of honeypots and of
 * intrusion detection. The capture holds more of these than any network, and a model that learns from all of them takes
 * attacks for the norm. Calls that keep time are left out: the network is that of a contest in which implants call home.
 */
const usualTraffic = (observations: readonly Observation<Event>[]): Observation[] => {
  let attacks = 0
  return observations.filter(
    each => (!ATTACK_SENSORS.includes(each.event.source) || attacks++ % KEPT === 0) && !inRhythm(each),
  )
}

/** Trains the model that ships. Same sources, features and capture in, same bytes out. */
export const trainBaseline = async (): Promise<TrainedModel> =>
  trainModel(usualTraffic(observe(await captureEvents())), BASELINE_OPTIONS)
