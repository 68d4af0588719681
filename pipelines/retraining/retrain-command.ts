import { getPriority, setPriority } from 'node:os'
import type { SoloProgress } from '../../connectors/solo-queue.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { openRetrainingQueue, type RetrainConfig, startRetraining } from './retraining.ts'

/**
 * Niceness of a process that retrains: where it shares its cores, scoring goes first, and a quarter of what is fought for is
 * still left to it.
 */
const NICE = 5

/** Tells of each phase once, and of every tenth of it. */
const teller = (tell: (line: string) => void) => {
  let last = ''
  return ({ phase, done }: SoloProgress) => {
    const line = `… ${phase} ${Math.floor(done * 10) * 10} %`
    if (line !== last) tell(line)
    last = line
  }
}

/** Adds a job, follows it to its end, and prints what came of it as one JSON line. */
const retrainNow = async (context: CommandContext<RetrainConfig>): Promise<number> => {
  const { tell, print, interrupted } = context
  const queue = await openRetrainingQueue(context)
  try {
    const id = await queue.add({ trigger: 'retrain --now' })
    tell(`job ${id}: it is done by a process that runs \`netsentinel retrain\` or \`up\``)
    const outcome = await queue.follow(id, { onProgress: teller(tell), signal: interrupted })
    if ('failed' in outcome) {
      tell(`job ${id} failed: ${outcome.failed}`)
      print(JSON.stringify({ job: id, outcome: 'failed', version: null, reason: outcome.failed }))
      return EXIT.failure
    }
    print(JSON.stringify({ job: id, ...outcome.result }))
    return outcome.result.outcome === 'promoted' ? EXIT.ok : EXIT.failure
  } catch (error) {
    if (!interrupted.aborted) throw error
    tell('interrupted: the job goes on without being followed')
    return EXIT.failure
  } finally {
    await queue.close()
  }
}

/** `netsentinel retrain`. */
export const retrain: Command<RetrainConfig> = {
  summary:
    'Train models anew from the events of late, try them beside the one in force, and promote or reject them.',
  details: [
    'Without options this is the process that does it: jobs come by the clock (RETRAIN_CRON), on drift (RETRAIN_DRIFT) and',
    'by --now, and are done one at a time over all such processes. A job ends when the guard has watched the new champion',
    'for RETRAIN_GUARD_MS. With --now, exit code 0 says that a model was promoted and is in force, 1 that it was not.',
  ].join('\n'),
  options: {
    now: { type: 'boolean', doc: 'Add a job now, follow it to its end, and print what came of it.' },
  },
  run: async context => {
    if (context.options['now'] === true) return retrainNow(context)
    setPriority(Math.max(getPriority(), NICE))
    return context.supervise([await startRetraining(context)])
  },
}
