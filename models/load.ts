import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, SentinelError } from '../runtime/errors.ts'
import type { TrainedModel } from './detector.ts'
import { parseManifest } from './manifest.ts'

/** The files of a model in its folder. */
export const MODEL_FILES = { onnx: 'model.onnx', manifest: 'manifest.json' } as const

const read = (dir: string, name: string): Buffer => {
  try {
    return readFileSync(join(dir, name))
  } catch (cause) {
    throw new SentinelError('NS_MODEL_REFUSED', `there is no model in ${dir}: ${messageOf(cause)}`, { cause })
  }
}

const parseJson = (text: string, path: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SentinelError('NS_MODEL_REFUSED', `${path} is not JSON: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Reads a model from its folder. Throws NS_MODEL_REFUSED when a file is missing or the manifest is not valid; the ONNX
 * file is checked against the manifest when a detector is made of both.
 */
export const loadModel = (dir: string): TrainedModel => ({
  manifest: parseManifest(
    parseJson(read(dir, MODEL_FILES.manifest).toString('utf8'), join(dir, MODEL_FILES.manifest)),
  ),
  onnx: new Uint8Array(read(dir, MODEL_FILES.onnx)),
})
