import { readRecords } from '../../connectors/collect/files.ts'
import { fieldsOf } from '../../models/evaluation/csv.ts'
import { evaluate as evaluateModels, type LabelledTable } from '../../models/evaluation/evaluate.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'

/** Labels of rows that are no anomaly where --normal names none, in lower case and without a dot at the end. */
const NORMAL = ['normal', 'benign', 'inlier', 'false', 'no', 'n', '0']

const SEED = 1

const usage = (message: string) => new SentinelError('NS_USAGE', message)

/** The names in a file: one a line, what follows a comma or colon left out, or all of them in one line, with commas. */
const readColumns = async (path: string): Promise<string[]> => {
  const lines: string[] = []
  for await (const record of readRecords(path)) lines.push(record.toString('utf8').trim())
  const [only = ''] = lines
  return lines.length === 1 ? fieldsOf(only) : lines.map(line => line.split(/[,:]/)[0]?.trim() ?? '')
}

interface ReadOptions {
  /** Names of the columns; the first line names them when undefined. */
  readonly columns: readonly string[] | undefined
  readonly label: string
  readonly normal: string | undefined
  readonly drop: readonly string[]
}

const isNormal = (label: string, normal: string | undefined): boolean =>
  normal === undefined
    ? NORMAL.includes(label.toLowerCase().replace(/\.$/, '')) || Number(label) === 0
    : label === normal

/** Reads a file of rows, with the label taken out of them. */
const readTable = async (
  path: string,
  { columns, label, normal, drop }: ReadOptions,
): Promise<LabelledTable> => {
  let names = columns
  let kept: number[] = []
  let labelAt = -1
  const rows: string[][] = []
  const anomalous: number[] = []
  const begin = (width: number) => {
    // Columns behind those that have a name are called by their place.
    names = Array.from({ length: width }, (_, i) => names?.[i] ?? `column${i + 1}`)
    labelAt = names.indexOf(label)
    if (labelAt < 0) throw usage(`${path} has no column ${label}; it has ${names.join(', ')}`)
    kept = [...names.keys()].filter(i => i !== labelAt && !drop.includes(names?.[i] ?? ''))
  }
  for await (const record of readRecords(path)) {
    const fields = fieldsOf(record.toString('utf8'))
    if (names === undefined) {
      names = fields
      continue
    }
    if (labelAt < 0) begin(fields.length)
    if (fields.length !== names.length)
      throw usage(`${path}: row ${rows.length + 1} has ${fields.length} fields, not ${names.length}`)
    rows.push(kept.map(i => fields[i] ?? ''))
    anomalous.push(isNormal(fields[labelAt] ?? '', normal) ? 0 : 1)
  }
  if (rows.length === 0) throw usage(`${path} has no rows`)
  return { columns: kept.map(i => names?.[i] ?? ''), rows, anomalous: Uint8Array.from(anomalous) }
}

const required = (options: CommandContext<object>['options'], name: string): string => {
  const value = options[name]
  if (typeof value !== 'string' || value === '') throw usage(`evaluate: --${name} is missing`)
  return value
}

const optional = (options: CommandContext<object>['options'], name: string): string | undefined => {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

const listOf = (text: string | undefined): string[] => (text === undefined ? [] : fieldsOf(text))

const run = async ({ options, print }: CommandContext<object>): Promise<number> => {
  const started = performance.now()
  const columnsFile = optional(options, 'columns')
  const drop = listOf(optional(options, 'drop'))
  const how: ReadOptions = {
    columns: columnsFile === undefined ? undefined : await readColumns(columnsFile),
    label: required(options, 'label'),
    normal: optional(options, 'normal'),
    drop,
  }
  const [trainPath, testPath] = [required(options, 'train'), required(options, 'test')]
  const train = await readTable(trainPath, how)
  const test = await readTable(testPath, how)
  const result = await evaluateModels({
    train,
    test,
    contaminated: options['contaminated'] === true,
    seed: SEED,
    categorical: listOf(optional(options, 'categorical')),
  })
  const seconds = Math.round(performance.now() - started) / 1000
  print(JSON.stringify({ ...result, seconds }))
  return 0
}

/** `netsentinel evaluate`. */
export const evaluate: Command<object> = {
  summary: 'Train the default models on one labelled table, score another, and tell how well anomalies rank.',
  details: [
    'Prints one line of JSON: auroc and auprc of the ensemble and of each model, rows, features and seconds. Tables are',
    'comma-separated, plain or gzip; the first line names the columns unless --columns does. Columns that are not numbers',
    'are categories; one that was not seen in training counts as unseen. Scores come from the exported ONNX file.',
  ].join('\n'),
  options: {
    train: { type: 'string', value: 'FILE', doc: 'Table to train on: its normal rows.' },
    test: { type: 'string', value: 'FILE', doc: 'Table to score.' },
    label: { type: 'string', value: 'COLUMN', doc: 'Column that says what a row is; never a feature.' },
    normal: {
      type: 'string',
      value: 'VALUE',
      doc: `Label of rows that are no anomaly (else: ${NORMAL.join(', ')}).`,
    },
    columns: {
      type: 'string',
      value: 'FILE',
      doc: 'Names of the columns, for tables without a first line of names.',
    },
    categorical: {
      type: 'string',
      value: 'A,B',
      doc: 'Columns that are categories although they hold numbers.',
    },
    drop: { type: 'string', value: 'A,B', doc: 'Columns to leave out.' },
    contaminated: { type: 'boolean', doc: 'Train on all rows, without looking at their labels.' },
  },
  run,
}
