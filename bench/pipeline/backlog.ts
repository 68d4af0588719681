import { setTimeout as sleep } from 'node:timers/promises'
import { followGroup, type Pipeline } from './bed.ts'
import { cpuSecondsOf, peakMbOf, startStage } from './processes.ts'

/** How processes worked through a backlog. */
export interface BacklogResult {
  /** From the first commit seen to the last: events a second. */
  readonly rate: number
  /** The same over the second half alone. */
  readonly warmRate: number
  /** CPU of the processes, all threads, start and first half left out: µs an event. */
  readonly warmCpu: number
  /** CPU of the processes from their start on: µs an event. */
  readonly coldCpu: number
  /** CPU of the broker over the second half: µs an event. */
  readonly brokerCpu: number
  /** Most resident memory of one of the processes, in MB. */
  readonly peakMb: number
}

/** What works, and where its work can be seen. */
export interface Work {
  readonly pipeline: Pipeline
  readonly commands: readonly string[]
  /** The group whose progress through `topic` is the progress. */
  readonly group: string
  readonly topic: string
  readonly events: number
  readonly brokerPid: number
  readonly env?: Readonly<Record<string, string>>
  /** Groups that must have finished too: none of their input may be left. */
  readonly also?: readonly { readonly group: string; readonly topic: string }[]
}

const POLL_MS = 20

/** Starts the processes on a backlog that is there, and measures them until it is done. */
export const workThrough = async (work: Work): Promise<BacklogResult> => {
  const { pipeline, brokerPid } = work
  const progress = await followGroup(pipeline.kafka, work.group, work.topic)
  const stages = work.commands.map(command => startStage(command, { ...pipeline.env, ...work.env }))
  const mark = (done: number) => ({
    done,
    at: performance.now() / 1000,
    cpu: stages.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0),
    broker: cpuSecondsOf(brokerPid),
  })
  let first: ReturnType<typeof mark> | undefined
  let half: ReturnType<typeof mark> | undefined
  try {
    for (;;) {
      const dead = stages.find(stage => stage.ended())
      if (dead !== undefined) throw new Error(`${dead.name} ended: ${dead.log().slice(-500)}`)
      const done = await progress.read()
      if (done > 0) first ??= mark(done)
      if (done >= 0.5) half ??= mark(done)
      if (done >= 1) break
      await sleep(POLL_MS)
    }
    await finish(work)
    const end = mark(1)
    const [from, middle] = [first ?? end, half ?? end]
    const rest = work.events * (1 - middle.done)
    return {
      rate: (work.events * (1 - from.done)) / (end.at - from.at),
      warmRate: rest / (end.at - middle.at),
      warmCpu: ((end.cpu - middle.cpu) / rest) * 1e6,
      coldCpu: (end.cpu / work.events) * 1e6,
      brokerCpu: ((end.broker - middle.broker) / rest) * 1e6,
      peakMb: Math.max(...stages.map(({ pid }) => peakMbOf(pid))),
    }
  } finally {
    await progress.close()
    await Promise.all(stages.map(stage => stage.stop()))
  }
}

const finish = async ({ pipeline, also = [] }: Work) => {
  for (const { group, topic } of also) {
    const rest = await followGroup(pipeline.kafka, group, topic)
    while ((await rest.read()) < 1) await sleep(POLL_MS)
    await rest.close()
  }
}

/** Scoring of the backlog in `events`. */
export const scoringOf = (pipeline: Pipeline, events: number, brokerPid: number): Work => ({
  pipeline,
  commands: ['score'],
  group: `${pipeline.prefix}scoring`,
  topic: pipeline.topics.events.name,
  events,
  brokerPid,
})

/** Ingest of the backlog in `raw-events`. */
export const ingestOf = (pipeline: Pipeline, events: number, brokerPid: number): Work => ({
  pipeline,
  commands: ['ingest'],
  group: `${pipeline.prefix}ingest`,
  topic: pipeline.topics.rawEvents.name,
  events,
  brokerPid,
})

/** Both, from `raw-events` to `threats`. */
export const wholePathOf = (pipeline: Pipeline, events: number, brokerPid: number): Work => ({
  ...ingestOf(pipeline, events, brokerPid),
  commands: ['ingest', 'score'],
  also: [{ group: `${pipeline.prefix}scoring`, topic: pipeline.topics.events.name }],
})
