import type { Evidence, Severity, Threat } from '../../schemas/generated.ts'
import { severityRank } from './fields.ts'

/** How many ids of the first threats, and how many of the latest, are kept as samples. */
const SAMPLES = 5

/** Most techniques and sensors that are told apart. */
export const MOST_DISTINCT = 32

const distinct = (values: readonly string[]): string[] => [...new Set(values)].slice(0, MOST_DISTINCT)

/** The first and the latest of some ids, in order of appearance. */
const sample = (ids: readonly string[]): readonly string[] =>
  ids.length <= 2 * SAMPLES ? ids : [...ids.slice(0, SAMPLES), ...ids.slice(-SAMPLES)]

/** The more severe of two. */
export const worse = (a: Severity, b: Severity): Severity => (severityRank(a) >= severityRank(b) ? a : b)

/** What one threat is evidence of. */
export const evidenceOf = ({ id, time, score, severity, techniques, event }: Threat): Evidence => ({
  count: 1,
  firstSeen: time,
  lastSeen: time,
  score,
  severity,
  threatIds: [id],
  techniques: distinct(techniques),
  sensors: event.sensor === null ? [] : [event.sensor],
  title: event.title,
})

/** What two groups of threats come to together; those of `later` came in later. */
export const mergeEvidence = (earlier: Evidence, later: Evidence): Evidence => ({
  count: earlier.count + later.count,
  firstSeen: Math.min(earlier.firstSeen, later.firstSeen),
  lastSeen: Math.max(earlier.lastSeen, later.lastSeen),
  score: Math.max(earlier.score, later.score),
  severity: worse(earlier.severity, later.severity),
  threatIds: sample([...new Set([...earlier.threatIds, ...later.threatIds])]),
  techniques: distinct([...earlier.techniques, ...later.techniques]),
  sensors: distinct([...earlier.sensors, ...later.sensors]),
  title: later.score > earlier.score ? later.title : earlier.title,
})
