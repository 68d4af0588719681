import { setTimeout as sleep } from 'node:timers/promises'
import { scoringOf, workThrough } from './backlog.ts'
import type { Bed } from './bed.ts'
import { feedEvents, openCanaryLines } from './feed.ts'
import { peakMbOf, startStage } from './processes.ts'

/** A scorer with many live entities. */
export interface MemoryResult {
  readonly entities: number
  /** Most resident memory while it worked through the backlog, in MB. */
  readonly backlogMb: number
  /** Time from joining the group to the last partition restored, in s; and the memory at its most, in MB. */
  readonly restoreSeconds: number
  readonly restoreMb: number
}

interface LogLine {
  readonly time?: number | string
  readonly msg?: string
  readonly records?: number
}

const linesOf = (log: string): LogLine[] =>
  log.split('\n').flatMap(line => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))

const timeOf = ({ time = 0 }: LogLine): number => (typeof time === 'number' ? time : Date.parse(time))

/** Works through a backlog of so many entities, then starts a scorer anew, which has to read all of them back. */
export const memoryWith = async (
  bed: Bed,
  entities: number,
  events: number,
  threshold: number,
): Promise<MemoryResult> => {
  const pipeline = await bed.pipeline({ env: { SCORING_THRESHOLD: String(threshold) } })
  await feedEvents(pipeline, openCanaryLines({ events, entities }))
  const { peakMb } = await workThrough(scoringOf(pipeline, events, bed.brokerPid))
  const again = startStage('score', { ...pipeline.env, LOG_LEVEL: 'info' })
  try {
    for (;;) {
      const lines = linesOf(again.log())
      const joined = lines.find(({ msg }) => msg === 'joined the group')
      const restored = lines.filter(({ msg }) => msg === 'state restored')
      const last = restored.at(-1)
      if (joined !== undefined && last !== undefined && restored.length === 8) {
        const restoreSeconds = (timeOf(last) - timeOf(joined)) / 1000
        return { entities, backlogMb: peakMb, restoreSeconds, restoreMb: peakMbOf(again.pid) }
      }
      if (again.ended()) throw new Error(`score ended: ${again.log().slice(-500)}`)
      await sleep(50)
    }
  } finally {
    await again.stop()
  }
}
