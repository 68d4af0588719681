import { readRecords } from '../../connectors/collect/files.ts'
import { fieldsOf } from '../../models/evaluation/csv.ts'
import { evaluate as evaluateModels } from '../../models/evaluation/evaluate.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { type LabelledFileOptions, NORMAL_LABELS, readLabelledFile } from './labelled-file.ts'

const SEED = 1

const usage = (message: string) => new SentinelError('NS_USAGE', message)

/** The names in a file: one a line, what follows a comma or colon left out, or all of them in one line, with commas. */
const readColumns = async (path: string): Promise<string[]> => {
  const lines: string[] = []
  for await (const record of readRecords(path)) lines.push(record.toString('utf8').trim())
  const [only = ''] = lines
  return lines.length === 1 ? fieldsOf(only) : lines.map(line => line.split(/[,:]/)[0]?.trim() ?? '')
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

const run = async ({ options, print, tell }: CommandContext<object>): Promise<number> => {
  const started = performance.now()
  const columnsFile = optional(options, 'columns')
  const drop = listOf(optional(options, 'drop'))
  const how: LabelledFileOptions = {
    columns: columnsFile === undefined ? undefined : await readColumns(columnsFile),
    label: required(options, 'label'),
    normal: optional(options, 'normal'),
    drop,
  }
  const [trainPath, testPath] = [required(options, 'train'), required(options, 'test')]
  const train = await readLabelledFile(trainPath, how)
  const contaminated = options['contaminated'] === true
  if (!contaminated && train.anomalous.every(Boolean))
    throw usage(
      `no row of ${trainPath} is normal: none has the label ${how.normal ?? NORMAL_LABELS.join(', ')}; see --normal`,
    )
  const test = await readLabelledFile(testPath, how)
  const categorical = listOf(optional(options, 'categorical'))
  for (const name of categorical) if (!train.columns.includes(name)) tell(`no column is called ${name}`)
  const result = await evaluateModels({
    train,
    test,
    contaminated,
    autoencoder: options['autoencoder'] === true,
    seed: SEED,
    categorical,
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
      doc: `Label of rows that are no anomaly (else: ${NORMAL_LABELS.join(', ')}).`,
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
    autoencoder: { type: 'boolean', doc: 'Train a fourth model as well, an autoencoder.' },
  },
  run,
}
