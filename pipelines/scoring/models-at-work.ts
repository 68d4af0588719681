import type { Detector } from '../../models/detector.ts'
import type { ModelInForce } from '../../schemas/generated.ts'
import { enforce } from './model-in-force.ts'

/** A model that judges events. */
export interface ModelAtWork {
  readonly detector: Detector
  /** Its place in the order of models that came into force. */
  readonly sequence: number
}

/** Which model judges the events of a batch. */
export interface ModelsAtWork {
  /** Runs the work on a batch, whose first event is at `offset`, with the model for it, which is not closed before. */
  use<T>(
    batch: { readonly partition: number; readonly offset: number },
    work: (model: ModelAtWork) => Promise<T>,
  ): Promise<T>
  /**
   * Resolves when the models that later batches get are not older than the one that a partition was scored with last.
   * Throws NS_MODEL_OLDER when they will be, NS_MODEL_REFUSED when two have the same place, NS_SERVICE_UNREACHABLE.
   */
  reach(inForce: ModelInForce): Promise<void>
}

/** One model for every batch. */
export const oneModel = (detector: Detector): ModelsAtWork => {
  const { version, sequence } = detector.manifest
  return {
    use: (_, work) => work({ detector, sequence }),
    reach: async inForce => {
      enforce(inForce, { version, sequence }, 0)
    },
  }
}
