import { z } from 'zod'
import { SentinelError } from '../../runtime/errors.ts'
import type { ModelManifest, TrainedModel } from '../detector.ts'
import { featureHash, featureNames } from '../features/features.ts'
import { sha256 } from '../manifest.ts'
import { inlineWeights, type ReadWeights } from '../onnx/external-weights.ts'
import { foreignFormSchema } from './form.ts'

const share = z.number().min(0).max(1)
const name = z.string().min(1)
const range = z.strictObject({ low: z.array(z.number()), high: z.array(z.number()) })

/** What is written by hand about a model that is not ours; docs/models.md explains each field. */
const manifestSchema = z.strictObject({
  version: name,
  model: name.regex(/^[A-Za-z][A-Za-z0-9_-]*$/),
  origin: name,
  featureHash: name.optional(),
  input: z.strictObject({
    name,
    layout: z.enum(['row', 'window', 'image']).default('row'),
    columns: z.array(name).min(1),
    scale: range.optional(),
    events: z.int().min(1).default(1),
    channels: z.int().min(1).default(1),
    from: z.int().min(1).optional(),
    batch: z.int().min(1).optional(),
  }),
  outputs: z.strictObject({
    score: name.optional(),
    label: name.optional(),
    map: name.optional(),
    reconstruction: name.optional(),
  }),
  anomaly: z.number().default(1),
  calibration: z
    .strictObject({
      points: z
        .array(z.tuple([z.number(), share]))
        .min(2)
        .optional(),
      rows: z.int().min(0).default(0),
      budget: z.number().min(1).default(1),
    })
    .default({ rows: 0, budget: 1 }),
  expected: range.optional(),
  usual: z.array(z.number()).optional(),
  threshold: share.default(0.5),
  severities: z.strictObject({ medium: share, high: share, critical: share }).optional(),
})

/** Whether a manifest is one that is written by hand: ours say nothing of an input. */
export const isForeign = (manifest: unknown): boolean =>
  typeof manifest === 'object' && manifest !== null && 'input' in manifest

const refuse = (reason: string, cause?: unknown) => new SentinelError('NS_MODEL_REFUSED', reason, { cause })

/** Rows of a run where the manifest does not say: trees gain by it, pictures do not. */
const BATCH = { row: 64, window: 1, image: 1 } as const

/** What is imported. */
export interface ForeignImport {
  readonly onnx: Uint8Array
  /** The manifest as it was written, parsed from JSON. */
  readonly manifest: unknown
  /** Gives the files that the model keeps weights in. */
  readonly readWeights: ReadWeights
  /** Its place in the order of models that come into force. */
  readonly sequence: number
}

/**
 * Makes a model that a scorer serves of an ONNX file that is not ours and what is written about it: weights are put into the
 * file, the manifest is completed. Whether the graph is as it says is found out when a detector is made of it.
 *
 * Throws NS_MODEL_REFUSED with what is wrong: a manifest that is not valid, columns that are no features, features of another
 * version, weights that are not there.
 */
export const importForeign = ({ onnx, manifest, readWeights, sequence }: ForeignImport): TrainedModel => {
  const parsed = manifestSchema.safeParse(manifest)
  if (!parsed.success)
    throw refuse(`the manifest is not valid: ${z.prettifyError(parsed.error)}`, parsed.error)
  const { input, outputs, calibration, threshold, ...about } = parsed.data
  if (about.featureHash !== undefined && about.featureHash !== featureHash)
    throw refuse(`it was made for features ${about.featureHash}; these are ${featureHash}`)
  const unknown = input.columns.filter(column => !featureNames.includes(column))
  if (unknown.length > 0) throw refuse(`no feature is ${unknown.join(', ')}`)
  const form = foreignFormSchema.safeParse({
    origin: about.origin,
    input: input.name,
    layout: input.layout,
    columns: input.columns,
    scale: input.scale,
    events: input.events,
    channels: input.channels,
    from: input.from ?? input.events,
    batch: input.batch ?? BATCH[input.layout],
    outputs,
    anomaly: about.anomaly,
    points: calibration.points,
    expected: about.expected,
    usual: about.usual,
  })
  if (!form.success) throw refuse(`the manifest is not valid: ${z.prettifyError(form.error)}`, form.error)
  const inlined = inlineWeights(onnx, readWeights)
  const above = (part: number) => threshold + (1 - threshold) * part
  const complete: ModelManifest = {
    version: about.version,
    sequence,
    featureHash,
    features: featureNames,
    layout: input.layout,
    foreign: form.data,
    models: outputs.label === undefined ? [about.model] : [about.model, `${about.model}Label`],
    calibration: { rows: calibration.rows, budget: calibration.budget },
    expected: { low: [], high: [] },
    threshold,
    severities: about.severities ?? { medium: above(0.25), high: above(0.5), critical: above(0.75) },
    seed: 0,
    rows: 0,
    sha256: sha256(inlined),
  }
  return { manifest: complete, onnx: inlined }
}
