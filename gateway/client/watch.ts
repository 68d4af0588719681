import { fitColumns, inert } from '../../runtime/inert.ts'
import type { Alert, Severity, Threat } from '../../schemas/generated.ts'

interface Column {
  readonly title: string
  /** In terminal columns; 0 takes what is left. */
  readonly width: number
  value(threat: Threat): string
  ofAlert(alert: Alert): string
}

const NONE = '-'
const LEAST_WIDTH = 20

const timeOf = (ms: number): string => {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? NONE : `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

const listed = (values: readonly string[]): string => values.join(' ') || NONE

const COLUMNS: readonly Column[] = [
  {
    title: 'TIME',
    width: 20,
    value: ({ time }) => timeOf(time),
    ofAlert: ({ lastSeen }) => timeOf(lastSeen),
  },
  { title: 'SEVERITY', width: 8, value: ({ severity }) => severity, ofAlert: ({ severity }) => severity },
  {
    title: 'SCORE',
    width: 5,
    value: ({ score }) => score.toFixed(3),
    ofAlert: ({ score }) => score.toFixed(3),
  },
  { title: 'ENTITY', width: 24, value: ({ entity }) => entity, ofAlert: ({ entity }) => entity },
  {
    title: 'TITLE',
    width: 0,
    value: ({ event }) => event.title,
    ofAlert: ({ title, change, status, count }) =>
      `ALERT ${change === 'triaged' ? status : change}: ${title} (${count})`,
  },
  {
    title: 'SENSOR',
    width: 16,
    value: ({ event }) => event.sensor ?? NONE,
    ofAlert: ({ sensors }) => listed(sensors),
  },
  {
    title: 'TECHNIQUES',
    width: 16,
    value: ({ techniques }) => listed(techniques),
    ofAlert: ({ techniques }) => listed(techniques),
  },
]

const COLOURS: Readonly<Record<Severity, string>> = {
  low: '2',
  medium: '33',
  high: '31',
  critical: '1;31',
}

/** How a table is drawn. */
export interface TableOptions {
  /** Width of the terminal, in columns. */
  readonly columns: number
  /** Lines after which the header is repeated; it is written once when not given. */
  readonly rows?: number
  /** Whether to colour by severity: for terminals only. */
  readonly colour?: boolean
  readonly write: (line: string) => void
}

/**
 * The live table of threats and of revisions of alerts, one appended line each. Whatever an attacker put into an event is shown, none of it acts on
 * the terminal.
 */
export const createTable = ({ columns, rows, colour = false, write }: TableOptions) => {
  const fixed = COLUMNS.reduce((sum, { width }) => sum + width, 0) + 2 * (COLUMNS.length - 1)
  const flexible = Math.max(LEAST_WIDTH, columns - fixed)
  const lineOf = (cell: (column: Column) => string) =>
    COLUMNS.map(column => fitColumns(inert(cell(column)), column.width || flexible))
      .join('  ')
      .trimEnd()
  let lines = 0
  const add = (severity: Severity, cell: (column: Column) => string) => {
    const isDue = rows === undefined ? lines === 0 : lines % Math.max(2, rows - 1) === 0
    if (isDue) write(lineOf(({ title }) => title))
    lines += 1
    const line = lineOf(cell)
    write(colour ? `\u001b[${COLOURS[severity] ?? '0'}m${line}\u001b[0m` : line)
  }
  return {
    add: (threat: Threat): void => add(threat.severity, column => column.value(threat)),
    addAlert: (alert: Alert): void => add(alert.severity, column => column.ofAlert(alert)),
  }
}
