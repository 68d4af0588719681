import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { messageOf, SentinelError } from './errors.ts'
import { EXIT, type Service } from './lifecycle.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** An option of a command: a flag, or one that takes a value. */
export interface CommandOption {
  readonly type: 'boolean' | 'string'
  /** How the value is shown in the help, e.g. `N` or `FILE`. */
  readonly value?: string
  readonly doc: string
}

/** What a command is given to work with; `C` is the part of the configuration that it reads. */
export interface CommandContext<C> {
  readonly config: C
  readonly log: Log
  readonly metrics: Metrics
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  readonly operands: readonly string[]
  /** Writes a line of the command's result to standard output. */
  readonly print: (line: string) => void
  /** Writes a line for the person at the terminal to standard error. */
  readonly tell: (line: string) => void
  /** Runs services until a signal or a failure, and resolves with the exit code. */
  readonly supervise: (services: readonly Service[]) => Promise<number>
  /** Aborts on the first SIGTERM or SIGINT, for commands that end by themselves. */
  readonly interrupted: AbortSignal
}

/** One command of the program. */
export interface Command<C> {
  readonly summary: string
  /** Operands as the usage line shows them. */
  readonly operands?: string
  /** More lines for --help. */
  readonly details?: string
  readonly options?: Readonly<Record<string, CommandOption>>
  /** True for a command whose terminal belongs to a person: its log goes to `DATA_DIR/logs/netsentinel.log`. */
  readonly logsToFile?: boolean
  /** Resolves with the exit code; throws SentinelError. */
  run(context: CommandContext<C>): Promise<number>
}

/** Parses the arguments of a command. Throws NS_USAGE naming what is wrong. */
export const parseCommandLine = (name: string, command: Command<never>, args: readonly string[]) => {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } }
  for (const [option, { type }] of Object.entries(command.options ?? {})) options[option] = { type }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (positionals.length > 0 && command.operands === undefined && values['help'] !== true) {
      throw new Error(`unexpected argument '${positionals[0]}'`)
    }
    return { options: values as CommandContext<never>['options'], operands: positionals }
  } catch (cause) {
    // Node goes on with how to pass an operand that begins with a dash, which no command takes.
    const [problem] = messageOf(cause).split('. To specify ')
    throw new SentinelError('NS_USAGE', `${name}: ${problem}`, { cause })
  }
}

/** The value of an option as a whole number within bounds, or the fallback. Throws NS_USAGE. */
export const numberOption = (
  options: CommandContext<never>['options'],
  name: string,
  fallback: number,
  { min = 0, max = Number.MAX_SAFE_INTEGER } = {},
): number => {
  const text = options[name]
  if (typeof text !== 'string') return fallback
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
    throw new SentinelError('NS_USAGE', `--${name} takes a number from ${min} to ${max}, not '${text}'`)
  }
  return value
}

const columns = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

const EXIT_CODES: readonly (readonly [string, string])[] = [
  [String(EXIT.ok), 'done, or drained after a signal'],
  [String(EXIT.failure), 'a fatal error, a crashed consumer, or a record that is unaccounted for'],
  [String(EXIT.usage), 'wrong arguments'],
  [String(EXIT.config), 'a setting is missing or wrong'],
  [String(EXIT.unavailable), 'a service cannot be reached or brought up'],
  [String(EXIT.forced), 'a second signal or the drain deadline cut the shutdown short'],
]

/** The text of `netsentinel <name> --help`. */
export const commandHelp = (name: string, command: Command<never>): string => {
  const rows = Object.entries(command.options ?? {}).map(
    ([option, { value, doc }]) => [`--${option}${value === undefined ? '' : ` ${value}`}`, doc] as const,
  )
  return [
    `usage: netsentinel ${name}${rows.length > 0 ? ' [options]' : ''}${command.operands ? ` ${command.operands}` : ''}`,
    '',
    command.summary,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'options:',
    ...columns([...rows, ['--help', 'Show this.']]),
    '',
    'Settings come from the environment and NETSENTINEL_CONFIG: docs/configuration.md.',
  ].join('\n')
}

/** The text of `netsentinel --help`. */
export const programHelp = (commands: Readonly<Record<string, Command<never>>>): string =>
  [
    'usage: netsentinel COMMAND [options]',
    '',
    'Finds threats in security telemetry while it flows through Kafka.',
    '',
    'commands:',
    ...columns(Object.entries(commands).map(([name, { summary }]) => [name, summary])),
    '',
    'exit codes:',
    ...columns(EXIT_CODES),
    '',
    "Run 'netsentinel COMMAND --help' for the options of one.",
  ].join('\n')
