import { type Cli, startCli } from '../support/cli.ts'

/** One process of a stage, that faults happen to. */
export interface Member<S extends string = string> {
  readonly stage: S
  /** Ends the process at once, in the middle of whatever it does; resolves when it is gone. */
  kill(): Promise<void>
  /** Asks it to leave; resolves when it has. Throws unless it drained and ended well. */
  leave(): Promise<void>
  /** Stops it where it is, as a suspended machine or a long pause of the host would. */
  pause(): void
  resume(): void
  /** Starts the process anew, after it was killed, has left or has ended by itself. */
  start(): void
  /** Whether the process is there. */
  runs(): boolean
  /** Why it ended although nobody wanted it to; undefined while all is well. */
  failure(): string | undefined
  /** How often it was started again because a service was away when it started. */
  revivals(): number
  /** How often the process of now has begun a batch anew. */
  failedBatches(): number
  /** What the process of now has logged so far. */
  log(): string
}

/** The last lines that a process wrote. */
const lastWords = (cli: Cli): string => cli.stderr().split('\n').slice(-12).join('\n')

/** The exit code of a process that could not start because a service was away: whoever supervises it starts it again. */
const UNAVAILABLE = 4

/** Starts a process of a stage; with `revived`, it is started again for as long as it ends because a service is away. */
export const startMember = <S extends string>(
  stage: S,
  env: Readonly<Record<string, string>>,
  { revived = false }: { readonly revived?: boolean } = {},
): Member<S> => {
  let cli: Cli
  let wanted = false
  let running = false
  let failure: string | undefined
  let revivals = 0
  const start = () => {
    const mine = startCli([stage], env)
    cli = mine
    wanted = true
    running = true
    failure = undefined
    void mine.exited.then(({ code, signal }) => {
      running = false
      if (wanted && revived && code === UNAVAILABLE) {
        revivals++
        start()
      } else if (wanted) failure = `${stage} ended by itself with ${signal ?? code}: ${lastWords(mine)}`
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    wanted = false
    cli.kill(signal)
    return cli.exited
  }
  start()
  return {
    stage,
    start,
    kill: async () => {
      await end('SIGKILL')
    },
    leave: async () => {
      const { code, signal } = await end('SIGTERM')
      // Before it listens for signals there is nothing that it could leave.
      const unborn = signal === 'SIGTERM' && cli.stderr() === ''
      if (code !== 0 && !unborn) throw new Error(`${stage} left with ${signal ?? code}: ${lastWords(cli)}`)
    },
    pause: () => cli.kill('SIGSTOP'),
    resume: () => cli.kill('SIGCONT'),
    runs: () => running,
    failure: () => failure,
    revivals: () => revivals,
    failedBatches: () => cli.stderr().split('"msg":"processing ').length - 1,
    log: () => cli.stderr(),
  }
}
