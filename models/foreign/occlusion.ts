import { type ForeignForm, scaled } from './form.ts'

/** Whether what a column adds is found by occlusion: no output tells it, and it is known what is usual. */
export const isOccluded = ({ outputs, usual }: ForeignForm): boolean =>
  usual !== undefined && outputs.map === undefined && outputs.reconstruction === undefined

/** A column's usual value as its cells hold it. */
const usualOf = (form: ForeignForm, column: number): number => scaled(form, column, form.usual?.[column] ?? 0)

/** Where the cells of a column are, from the first event that there is on: rows of nothing but 0 before it are none. */
const cellsOf = (form: ForeignForm, input: Float32Array, column: number): number[] => {
  const width = form.columns.length
  const known = input.findIndex(value => value !== 0)
  const first = known < 0 ? form.events - 1 : Math.floor(known / width)
  return Array.from({ length: form.events - first }, (_, event) => (first + event) * width + column)
}

/**
 * An input once for each of its columns, in which that column has its usual value: what is to be scored to see what each of
 * them adds (Zeiler, Fergus, ECCV 2014; here a column is what is covered).
 */
export const occlusionsOf = (form: ForeignForm, input: Float32Array): Float32Array<ArrayBuffer> => {
  const all = new Float32Array(form.columns.length * input.length)
  for (const column of form.columns.keys()) {
    all.set(input, column * input.length)
    for (const cell of cellsOf(form, input, column)) all[column * input.length + cell] = usualOf(form, column)
  }
  return all
}

/**
 * What each cell adds: by how much the model finds the input less unusual when the cell's column is usual, shared out among
 * the cells of the column by how far they are from that. `without` has the model's own score of each occlusion.
 */
export const occlusionAmounts = (
  form: ForeignForm,
  input: Float32Array,
  unusual: number,
  without: readonly number[],
): Float32Array => {
  const amounts = new Float32Array(input.length)
  for (const column of form.columns.keys()) {
    const fall = Math.max(0, unusual - (without[column] ?? unusual))
    const cells = cellsOf(form, input, column)
    const away = (cell: number) => Math.abs((input[cell] ?? 0) - usualOf(form, column))
    const far = cells.reduce((sum, cell) => sum + away(cell), 0)
    if (far > 0) for (const cell of cells) amounts[cell] = (fall * away(cell)) / far
  }
  return amounts
}
