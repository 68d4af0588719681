import { readFileSync } from 'node:fs'
import type { TrainedModel } from '../../models/detector.ts'
import { featureNames } from '../../models/features/features.ts'
import { importForeign } from '../../models/foreign/import.ts'

const FOLDER = new URL('../../models/foreign/fixtures/anomalib/padim/', import.meta.url)

/** Events of a window of the model. */
export const PADIM_EVENTS = 32

/** The features that its columns are taken for. */
export const PADIM_COLUMNS: readonly string[] = Array.from(
  { length: PADIM_EVENTS },
  (_, i) => featureNames[i % featureNames.length] ?? '',
)

/** A model of Anomalib that judges windows, whose columns are taken to lie from `low` to `high`; `from` is the first event that is judged. */
export const importPadim = (options: {
  readonly low: number
  readonly high: number
  readonly from?: number
}): TrainedModel => {
  const { low, high, from } = options
  return importForeign({
    onnx: new Uint8Array(readFileSync(new URL('model.onnx', FOLDER))),
    readWeights: name => readFileSync(new URL(name, FOLDER)),
    manifest: {
      version: 'padim-1',
      model: 'padim',
      origin: 'Anomalib 2.7.0',
      input: {
        name: 'input',
        layout: 'image',
        columns: PADIM_COLUMNS,
        events: PADIM_EVENTS,
        channels: 3,
        ...(from === undefined ? {} : { from }),
        scale: { low: PADIM_COLUMNS.map(() => low), high: PADIM_COLUMNS.map(() => high) },
      },
      outputs: { score: 'pred_score', label: 'pred_label', map: 'anomaly_map' },
    },
    sequence: 1,
  })
}
