import { readFileSync } from 'node:fs'
import type { TrainedModel } from '../detector.ts'
import { parseManifest } from '../manifest.ts'

/** The files of the model that ships, beside this one. */
export const BASELINE = {
  onnx: new URL('model.onnx', import.meta.url),
  manifest: new URL('manifest.json', import.meta.url),
} as const

/**
 * Reads the model that ships: trained on the bundled capture by `npm run train:baseline`. Throws NS_MODEL_REFUSED for a
 * manifest that is not valid; the file is checked against it when a detector is made of it.
 */
export const loadBaseline = (): TrainedModel => ({
  manifest: parseManifest(JSON.parse(readFileSync(BASELINE.manifest, 'utf8'))),
  onnx: new Uint8Array(readFileSync(BASELINE.onnx)),
})
