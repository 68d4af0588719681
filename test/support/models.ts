import { generateKeyPairSync } from 'node:crypto'
import type { TrainedModel } from '../../models/detector.ts'
import { sha256 } from '../../models/manifest.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { createModelKeys, type ModelKeys } from '../../models/registry/keys.ts'
import type { Origin } from '../../models/registry/records.ts'

/** A key pair of its own. */
export const makeModelKeys = (): ModelKeys => createModelKeys(generateKeyPairSync('ed25519').privateKey, [])

/** Where a model comes from that comes from nowhere. */
export const NO_ORIGIN: Origin = { parent: null, window: null, metrics: {}, report: null }

/** A model with bytes that no runtime loads, but a registry keeps; larger ones are in several records. */
export const makeModel = (version: string, size = 100): TrainedModel => {
  const onnx = new Uint8Array(size).fill(version.length)
  const { manifest } = createMemoryDetector({ manifest: { version, sha256: sha256(onnx) } })
  return { manifest, onnx }
}
