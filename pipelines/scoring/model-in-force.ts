import type { ModelManifest } from '../../models/detector.ts'
import { SentinelError } from '../../runtime/errors.ts'
import type { ModelInForce } from '../../schemas/generated.ts'

/** Key of the changelog record that names the model in force. No entity begins with {@link RESERVED_PREFIX}. */
export const MODEL_KEY = 'partition:model'

/** Keys of the changelog that belong to the partition itself. */
export const RESERVED_PREFIX = 'partition:'

/**
 * The record to write before `manifest` may score a partition that `inForce` has scored; undefined when it is written.
 *
 * Throws NS_MODEL_OLDER when a later model has scored the partition, and NS_MODEL_REFUSED when another model has the
 * same place in the order: nothing would say which of the two made a score.
 */
export const enforce = (
  inForce: ModelInForce | undefined,
  { version, sequence }: ModelManifest,
): ModelInForce | undefined => {
  if (inForce === undefined || sequence > inForce.sequence) return { version, sequence }
  if (sequence < inForce.sequence)
    throw new SentinelError(
      'NS_MODEL_OLDER',
      `model ${inForce.version} (sequence ${inForce.sequence}) has scored this partition; ${version} (sequence ${sequence}) is older`,
    )
  if (version !== inForce.version)
    throw new SentinelError(
      'NS_MODEL_REFUSED',
      `models ${inForce.version} and ${version} both have the sequence ${sequence}`,
    )
  return undefined
}
