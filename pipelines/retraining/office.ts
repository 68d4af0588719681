import type { SoloJobView } from '../../connectors/solo-queue.ts'
import type { RetrainingData, RetrainingResult } from './job.ts'
import type { RetrainingQueue } from './retraining.ts'

const resultOf = ({ outcome }: SoloJobView<RetrainingData, RetrainingResult>) => {
  if (outcome === null) return null
  return 'failed' in outcome
    ? { outcome: 'failed' as const, version: null, reason: outcome.failed }
    : outcome.result
}

const viewOf = (job: SoloJobView<RetrainingData, RetrainingResult>) => {
  const { id, state, data, added, started, ended, progress } = job
  return { id, state, trigger: data.trigger, added, started, ended, progress, result: resultOf(job) }
}

type JobView = ReturnType<typeof viewOf>

/** What people do to retrainings from elsewhere than the command line, by the same queue. */
export const openRetrainingOffice = (queue: RetrainingQueue) => ({
  /** Tells of each retraining that is under way, and of each that has come further or ended. The result ends it. */
  follow: (onJob: (job: JobView) => void) => {
    const pending = new Map<string, JobView>()
    const tell = (job: JobView) => {
      if (job.state === 'waiting' || job.state === 'active') pending.set(job.id, job)
      else pending.delete(job.id)
      onJob(job)
    }
    return queue.watch({
      onJob: job => tell(viewOf(job)),
      onGone: id => {
        const job = pending.get(id)
        const result = { outcome: 'failed', version: null, reason: 'cancelled' } as const
        if (job !== undefined) tell({ ...job, state: 'failed', ended: Date.now(), result })
      },
    })
  },
  start: async (trigger: string) => {
    const id = await queue.add({ trigger })
    const job = await queue.find(id)
    return job === undefined ? undefined : viewOf(job)
  },
  list: async () => (await queue.list()).map(viewOf),
  find: async (id: string) => {
    const job = await queue.find(id)
    return job === undefined ? undefined : viewOf(job)
  },
  cancel: (id: string) => queue.cancel(id),
})
