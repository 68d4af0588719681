import { createHash } from 'node:crypto'
import { z } from 'zod'
import { SentinelError } from '../runtime/errors.ts'
import type { Severity } from '../schemas/generated.ts'
import type { ModelManifest } from './detector.ts'
import { featureHash, featureNames } from './features/features.ts'
import { foreignFormSchema } from './foreign/form.ts'

const share = z.number().min(0).max(1)
const name = z.string().min(1)
const hash = z.string().regex(/^[0-9a-f]{64}$/)

const histogram = z.strictObject({ edges: z.array(z.number()), shares: z.array(share) })

const schema = z.strictObject({
  version: name,
  sequence: z.int().min(1),
  featureHash: hash,
  features: z.array(z.string()),
  layout: z.enum(['row', 'window', 'image']),
  outputs: z.strictObject({ score: name, models: name, contributions: name }).optional(),
  foreign: foreignFormSchema.optional(),
  models: z.array(name).min(1),
  calibration: z.strictObject({ rows: z.int().min(0), budget: z.number().min(1) }),
  expected: z.strictObject({ low: z.array(z.number()), high: z.array(z.number()) }),
  training: z.strictObject({ features: z.array(histogram), scores: histogram }).optional(),
  threshold: share,
  severities: z.strictObject({ medium: share, high: share, critical: share }),
  seed: z.int().min(0),
  rows: z.int().min(0),
  sha256: hash,
})

const refuse = (reason: string, cause?: unknown) => new SentinelError('NS_MODEL_REFUSED', reason, { cause })

/** Reads a manifest as it is stored. Throws NS_MODEL_REFUSED with what is wrong in it. */
export const parseManifest = (value: unknown): ModelManifest => {
  const parsed = schema.safeParse(value)
  if (!parsed.success)
    throw refuse(`the manifest is not valid: ${z.prettifyError(parsed.error)}`, parsed.error)
  return parsed.data
}

/** SHA-256 in hex. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Throws NS_MODEL_REFUSED when the model was made for other features than this code computes. */
export const assertFeatures = (manifest: ModelManifest): void => {
  if (manifest.featureHash === featureHash) return
  const missing = manifest.features.filter(name => !featureNames.includes(name))
  const added = featureNames.filter(name => !manifest.features.includes(name))
  const detail =
    missing.length + added.length > 0
      ? `it has [${missing.join(', ')}] that are not computed and lacks [${added.join(', ')}]`
      : 'the same names in another order or computed in another way'
  throw refuse(`model ${manifest.version} was trained on other features: ${detail}`)
}

/** Throws NS_MODEL_REFUSED when the file is not the one that the manifest describes. */
export const assertBytes = (manifest: ModelManifest, onnx: Uint8Array): void => {
  const actual = sha256(onnx)
  if (actual !== manifest.sha256)
    throw refuse(
      `model ${manifest.version}: the file's SHA-256 is ${actual}, the manifest says ${manifest.sha256}`,
    )
}

/** A score in words, by a model's cut-offs. */
export const severityOf = (score: number, { severities }: ModelManifest): Severity => {
  if (score >= severities.critical) return 'critical'
  if (score >= severities.high) return 'high'
  return score >= severities.medium ? 'medium' : 'low'
}
