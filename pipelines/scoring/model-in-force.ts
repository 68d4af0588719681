import { SentinelError } from '../../runtime/errors.ts'
import type { ModelInForce } from '../../schemas/generated.ts'

/** Keys of the changelog that belong to the partition itself; no entity begins so. */
export const RESERVED_PREFIX = 'partition:'

/** Of the records that name a model and from where on it was in force: each stays, so that events can be scored again. */
const MODEL_PREFIX = 'partition:model'

/** Key of the changelog record of a model that came into force. */
export const modelKey = ({ sequence }: Pick<ModelInForce, 'sequence'>): string =>
  `${MODEL_PREFIX}/${sequence}`

/** Whether a key of the changelog is of a model that came into force. */
export const isModelKey = (key: string): boolean => key === MODEL_PREFIX || key.startsWith(`${MODEL_PREFIX}/`)

/** The later of two models in force. */
export const laterModel = (
  one: ModelInForce | undefined,
  other: ModelInForce | undefined,
): ModelInForce | undefined =>
  one === undefined || (other !== undefined && other.sequence > one.sequence) ? other : one

/**
 * The record to write before a model may score a partition that `inForce` has scored, from the event at `since` on;
 * undefined when it is written.
 *
 * Throws NS_MODEL_OLDER when a later model has scored the partition, and NS_MODEL_REFUSED when another model has the
 * same place in the order: nothing would say which of the two made a score.
 */
export const enforce = (
  inForce: ModelInForce | undefined,
  { version, sequence }: Pick<ModelInForce, 'version' | 'sequence'>,
  since: number,
): ModelInForce | undefined => {
  if (inForce === undefined || sequence > inForce.sequence) return { version, sequence, since }
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
