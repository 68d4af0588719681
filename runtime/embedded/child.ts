import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { codeOf, SentinelError } from '../errors.ts'
import { boundLog, openLog } from './logs.ts'

/**
 * Every child runs under this shell. Its standard input is a pipe whose other end only the parent holds: when the
 * parent closes it, or ends in any way, `kill -9` included, the kernel closes the pipe, `read` returns, and the child is
 * asked to stop, then made to, and what it started is killed with the group. The shell ends when the child has, with its
 * exit code.
 */
const SUPERVISOR = `
grace=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(
  read -r _ <&3
  kill -TERM "$child"
  while [ "$grace" -gt 0 ] && kill -0 "$child"; do sleep 0.1; grace=$((grace - 1)); done
  kill -KILL "$child"
  sleep 0.5
  kill -KILL 0
) >/dev/null 2>&1 &
exec 3<&-
wait "$child"
`

/** What to run. */
export interface Command {
  /** Names the child in messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Where its standard output and standard error go. */
  readonly logFile: string
  /** How long it may take to stop by itself, in ms, before it is killed; 0 kills it at once. */
  readonly graceMs: number
}

/** A running child. */
export interface Child {
  readonly name: string
  /** The supervisor, which leads the child's process group. */
  readonly pid: number
  readonly logFile: string
  /** Resolves with its exit code when the child is gone and all it started is killed; more than 128 means a signal. */
  readonly exited: Promise<number>
  /** Stops the child; resolves when it is gone. May be called twice. */
  stop(): Promise<void>
}

const killGroup = (pid: number) => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // ESRCH: everything in the group has ended already.
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

/**
 * Starts a child in a process group of its own, so that Ctrl-C in the terminal does not reach it before the drain is
 * done, and under a supervisor that ends it when this process is gone.
 */
export const startChild = ({ name, command, args, cwd, logFile, graceMs }: Command): Child => {
  const descriptor = openLog(logFile)
  const supervisor = spawn(
    'sh',
    ['-c', SUPERVISOR, `netsentinel-${name}`, String(Math.ceil(graceMs / 100)), command, ...args],
    { cwd, detached: true, stdio: ['pipe', descriptor, descriptor] },
  )
  closeSync(descriptor)
  // Without a pid there is an error to come, which says no more than the one thrown below.
  supervisor.on('error', () => undefined)
  // The pipe carries nothing: that it breaks when the child ends first is no news beside the exit.
  supervisor.stdin?.on('error', () => undefined)
  const { pid } = supervisor
  if (pid === undefined) {
    throw new SentinelError(
      'NS_EMBEDDED_UNAVAILABLE',
      `sh, under which ${name} runs, cannot be started in ${cwd}`,
    )
  }
  const unbound = boundLog(logFile)
  const exited = new Promise<number>(resolve => {
    supervisor.once('exit', code => {
      unbound()
      killGroup(pid)
      resolve(code ?? 137)
    })
  })
  const stop = async () => {
    supervisor.stdin?.end()
    const overdue = setTimeout(() => killGroup(pid), graceMs + 2_000)
    await exited
    clearTimeout(overdue)
  }
  return { name, pid, logFile, exited, stop }
}
