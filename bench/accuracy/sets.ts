import { join } from 'node:path'
import type { LabelledTable } from '../../models/evaluation/evaluate.ts'
import { createRandom, drawNumbers } from '../../models/trainers/random.ts'
import { readLabelledFile } from '../../pipelines/retraining/labelled-file.ts'
import { readNpz } from './npz.ts'

/** What is trained on and what is ranked. */
export interface Split {
  readonly train: LabelledTable
  readonly test: LabelledTable
  /** True when training sees all rows and no label. */
  readonly contaminated: boolean
}

/** A labelled set: where it is in the folder of sets, and how it is split. */
export interface DataSet {
  readonly name: string
  readonly what: string
  load(folder: string): Promise<Split>
}

const SEED = 1

/** Rows of the KDD tables have no names; the 42nd column says what a row is, a 43rd how hard it is to tell. */
const readKdd = (path: string): Promise<LabelledTable> =>
  readLabelledFile(path, { columns: [], label: 'column42', normal: undefined, drop: ['column43'] })

const rowsOf = (table: LabelledTable, places: ArrayLike<number>): LabelledTable => ({
  columns: table.columns,
  rows: Array.from(places, place => table.rows[place] ?? []),
  anomalous: Uint8Array.from(places, place => table.anomalous[place] ?? 0),
})

/** A table split at random: the first part has this share of its rows. */
const splitTable = (table: LabelledTable, share: number): [LabelledTable, LabelledTable] => {
  const order = drawNumbers(table.rows.length, table.rows.length, createRandom(SEED))
  const first = Math.round(share * order.length)
  return [rowsOf(table, order.subarray(0, first)), rowsOf(table, order.subarray(first))]
}

const unsupervised = (table: LabelledTable): Split => {
  const [train, test] = splitTable(table, 0.7)
  return { train, test, contaminated: true }
}

const adbench = async (path: string): Promise<Split> => {
  const arrays = readNpz(path)
  const [x, y] = [arrays.get('X'), arrays.get('y')]
  if (x === undefined || y === undefined) throw new TypeError(`${path} holds no X and y`)
  const [rows = 0, width = 0] = x.shape
  return unsupervised({
    columns: Array.from({ length: width }, (_, i) => `x${i}`),
    rows: Array.from({ length: rows }, (_, row) =>
      Array.from(x.values.subarray(row * width, (row + 1) * width), String),
    ),
    anomalous: Uint8Array.from(y.values),
  })
}

const kdd =
  (train: string, test: string, contaminated = false) =>
  async (folder: string) => ({
    train: await readKdd(join(folder, train)),
    test: await readKdd(join(folder, test)),
    contaminated,
  })

const NSL_TRAIN = 'nsl-kdd/KDDTrain+_20Percent.txt.gz'
const NSL_TEST = 'nsl-kdd/KDDTest+.txt.gz'
const KDD_TRAIN = 'kdd99/kddcup.data_10_percent.gz'

/** The sets, in the order of the table's columns. */
export const SETS: readonly DataSet[] = [
  {
    name: 'NSL-KDD',
    what: 'normal rows of KDDTrain+_20Percent → KDDTest+',
    load: kdd(NSL_TRAIN, NSL_TEST),
  },
  {
    name: 'NSL-KDD 21',
    what: 'the same → KDDTest-21',
    load: kdd(NSL_TRAIN, 'nsl-kdd/KDDTest-21.txt.gz'),
  },
  {
    name: 'NSL-KDD all',
    what: 'all rows of KDDTrain+_20Percent, labels unused → KDDTest+',
    load: kdd(NSL_TRAIN, NSL_TEST, true),
  },
  {
    name: 'KDD 99',
    what: 'normal rows of the 10 % file → `corrected`',
    load: kdd(KDD_TRAIN, 'kdd99/corrected.gz'),
  },
  {
    name: 'http',
    what: 'ADBench 16_http: 70 % of the rows, labels unused → the other 30 %',
    load: folder => adbench(join(folder, 'adbench/16_http.npz')),
  },
  {
    name: 'smtp',
    what: 'ADBench 34_smtp, likewise (only about ten anomalies to rank)',
    load: folder => adbench(join(folder, 'adbench/34_smtp.npz')),
  },
  {
    name: 'Shuttle',
    what: 'Statlog Shuttle, likewise',
    load: async folder =>
      unsupervised(
        await readLabelledFile(join(folder, 'shuttle/shuttle.csv.gz'), {
          columns: undefined,
          label: 'anomaly',
          normal: undefined,
          drop: [],
        }),
      ),
  },
]

/** Normal training rows of KDD 99: 70 % to train on, and 30 % that neither fit nor calibration sees. */
export const usualRows = async (folder: string): Promise<Split> => {
  const all = await readKdd(join(folder, KDD_TRAIN))
  const places = [...all.anomalous.keys()].filter(row => all.anomalous[row] === 0)
  const [train, test] = splitTable(rowsOf(all, places), 0.7)
  return { train, test, contaminated: false }
}
