import { isSentinelError, SentinelError } from '../runtime/errors.ts'

/** Why something that people asked for cannot be done, in words for them. */
export interface Refusal {
  readonly refused: string
}

const REFUSALS = [
  'NS_USAGE',
  'NS_MODEL_REFUSED',
  'NS_CONFIG_INVALID',
  'NS_KAFKA_REFUSED',
  'NS_TOPIC_MISMATCH',
] as const

/** Does what people asked for, or says why it cannot be done, where that is not for a lack of a service. */
export const orRefusal = async <T>(act: () => Promise<T>): Promise<T | Refusal> => {
  try {
    return await act()
  } catch (error) {
    if (error instanceof SentinelError && REFUSALS.some(code => isSentinelError(error, code))) {
      return { refused: error.message }
    }
    throw error
  }
}
