import { readRecords } from '../../connectors/collect/files.ts'
import { fieldsOf, isOpen } from '../../models/evaluation/csv.ts'
import type { LabelledTable } from '../../models/evaluation/evaluate.ts'
import { SentinelError } from '../../runtime/errors.ts'

/** Labels of rows that are no anomaly where none is named, in lower case and without a dot at the end. */
export const NORMAL_LABELS = ['normal', 'benign', 'inlier', 'false', 'no', 'n', '0']

const usage = (message: string) => new SentinelError('NS_USAGE', message)

/** How a file of rows is read. */
export interface LabelledFileOptions {
  /** Names of the columns; the first line names them when undefined. */
  readonly columns: readonly string[] | undefined
  readonly label: string
  /** Label of rows that are no anomaly; {@link NORMAL_LABELS} when undefined. */
  readonly normal: string | undefined
  readonly drop: readonly string[]
}

const isNormal = (label: string, normal: string | undefined): boolean =>
  normal === undefined
    ? NORMAL_LABELS.includes(label.toLowerCase().replace(/\.$/, '')) || Number(label) === 0
    : label === normal

/** The rows of a file as texts; one with a field that spans lines is put together. */
const rowsOf = async function* (path: string): AsyncGenerator<string> {
  let begun = ''
  for await (const record of readRecords(path)) {
    const text = begun + record.toString('utf8')
    begun = isOpen(text) ? `${text}\n` : ''
    if (begun === '') yield text
  }
  if (begun !== '') throw usage(`${path}: a quote is not closed, from this on: ${begun.slice(0, 80)}`)
}

/**
 * Reads a file of comma-separated rows, plain or gzip, with the label taken out of them. Throws NS_USAGE for a file that is
 * not there, has no rows or no column of labels, a row of another width, or a quote that is not closed.
 */
export const readLabelledFile = async (
  path: string,
  { columns, label, normal, drop }: LabelledFileOptions,
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
  for await (const row of rowsOf(path)) {
    const fields = fieldsOf(row)
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
