import { fileURLToPath } from 'node:url'
import type { TrainedModel } from '../detector.ts'
import { loadModel, MODEL_FILES } from '../load.ts'

/** The files of the model that ships, beside this one. */
export const BASELINE = {
  onnx: new URL(MODEL_FILES.onnx, import.meta.url),
  manifest: new URL(MODEL_FILES.manifest, import.meta.url),
} as const

/**
 * Reads the model that ships: trained on the bundled capture by `npm run train:baseline`. Throws NS_MODEL_REFUSED for a
 * manifest that is not valid; the file is checked against it when a detector is made of it.
 */
export const loadBaseline = (): TrainedModel => loadModel(fileURLToPath(new URL('.', import.meta.url)))
