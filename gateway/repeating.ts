import { messageOf } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'

interface RepeatingDeps {
  /** What is done; it is tried again when it throws. */
  readonly work: () => Promise<void>
  readonly intervalMs: number
  /** What the log says of the first failure in a row, and when it is over. */
  readonly says: { readonly failing: string; readonly working: string }
  readonly log: Log
}

/** Work that is done again and again. */
export interface Repeating {
  /** Does it now, unless it is being done. */
  run(): void
  /** Ends; resolves when it is not being done any more. */
  stop(): Promise<void>
  /** Does it once more, and ends. */
  close(): Promise<void>
}

/** Does something every so often, never twice at the same time. */
export const startRepeating = ({ work, intervalMs, says, log }: RepeatingDeps): Repeating => {
  let running: Promise<void> | undefined
  let isFailing = false

  const run = (): void => {
    running ??= work()
      .then(() => {
        if (isFailing) log.info(says.working)
        isFailing = false
      })
      .catch((error: unknown) => {
        if (!isFailing) log.error({ problem: messageOf(error) }, says.failing)
        isFailing = true
      })
      .finally(() => {
        running = undefined
      })
  }

  const timer = setInterval(run, intervalMs)
  const stop = async () => {
    clearInterval(timer)
    await running
  }
  return {
    run,
    stop,
    close: async () => {
      await stop()
      run()
      await running
    },
  }
}
