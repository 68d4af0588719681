import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { SentinelError } from '../../runtime/errors.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Runs a program in the repository; resolves with its exit code, undefined where it cannot be run. */
export type Run = (
  command: readonly string[],
  options: { readonly quiet: boolean },
) => Promise<number | undefined>

/** The machine's own programs; `signal` ends them. What they say goes to standard error unless they are to be quiet. */
export const runHere =
  (signal: AbortSignal): Run =>
  async ([program = '', ...args], { quiet }) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      signal,
      killSignal: 'SIGINT',
      stdio: ['ignore', quiet ? 'ignore' : 2, quiet ? 'ignore' : 2],
    })
    try {
      const [code] = await once(child, 'close')
      return code ?? undefined
    } catch {
      // It is not there, or was interrupted.
      return undefined
    }
  }

/** Whether a container engine answers, and with it what runs docker-compose.yml; undefined where there is neither. */
export const findCompose = async (run: Run): Promise<readonly string[] | undefined> => {
  if ((await run(['docker', 'info'], { quiet: true })) !== 0) return undefined
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    if ((await run([...command, 'version'], { quiet: true })) === 0) return command
  }
  return undefined
}

/**
 * Builds the image, brings docker-compose.yml up, in which everything goes on in the background, and sends the capture
 * through. Throws NS_EMBEDDED_UNAVAILABLE where there is no engine, or something does not start.
 */
export const startContainers = async (deps: {
  readonly run: Run
  readonly replay: boolean
  readonly tell: (line: string) => void
}): Promise<void> => {
  const { run, replay, tell } = deps
  const compose = await findCompose(run)
  if (compose === undefined) {
    throw new SentinelError(
      'NS_EMBEDDED_UNAVAILABLE',
      'no container engine answers with a Compose: install Docker, or start without --docker',
    )
  }
  const must = async (...args: readonly string[]) => {
    const code = await run([...compose, ...args], { quiet: false })
    if (code === 0) return
    throw new SentinelError(
      'NS_EMBEDDED_UNAVAILABLE',
      `${[...compose, ...args].join(' ')} did not succeed: its own lines say why`,
    )
  }
  await must('up', '--build', '--detach')
  if (replay) await must('run', '--rm', 'replay')
  const named = compose.join(' ')
  tell('gateway: http://127.0.0.1:8080, or where GATEWAY_PORT says (WebSocket at /ws)')
  tell(`password of admin: ${named} exec gateway-1 cat /secrets/gateway/admin-password`)
  tell(`${named} logs --follow shows what happens, ${named} down ends it and keeps the data`)
}
