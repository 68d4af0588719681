import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TrainedModel } from '../../models/detector.ts'
import { importForeign, isForeign } from '../../models/foreign/import.ts'
import { parseManifest } from '../../models/manifest.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'

const read = (path: string): Buffer => {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new SentinelError('NS_USAGE', `models import: ${messageOf(cause)}`, { cause })
  }
}

const readJson = (path: string): unknown => {
  try {
    return JSON.parse(read(path).toString('utf8'))
  } catch (cause) {
    if (cause instanceof SentinelError) throw cause
    throw new SentinelError('NS_MODEL_REFUSED', `${path} is not JSON: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Reads a model that is to be imported: an ONNX file, and the manifest that says what goes in and comes out of it, either as
 * `models export` writes it or, for a model that is not ours, as it is written by hand. Weights that the model keeps in files
 * beside it are put into it.
 *
 * Throws NS_USAGE for a file that cannot be read, NS_MODEL_REFUSED for a manifest that is not valid.
 */
export const readImport = (files: { readonly onnx: string; readonly manifest: string }): TrainedModel => {
  const manifest = readJson(files.manifest)
  const onnx = new Uint8Array(read(files.onnx))
  if (!isForeign(manifest)) return { manifest: parseManifest(manifest), onnx }
  const readWeights = (name: string) => read(join(dirname(files.onnx), name))
  // The pointer that puts it in force has a sequence of its own.
  return importForeign({ onnx, manifest, readWeights, sequence: 1 })
}
