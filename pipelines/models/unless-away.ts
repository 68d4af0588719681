import { isSentinelError, messageOf } from '../../runtime/errors.ts'

const AWAY = ['NS_SERVICE_UNREACHABLE', 'NS_TOPIC_MISSING', 'NS_SCHEMA_UNKNOWN'] as const

/** What is read, or undefined, with the reason told, where a service or topic that it comes from is not there. */
export const unlessAway = async <T>(
  what: string,
  tell: (line: string) => void,
  read: () => Promise<T>,
): Promise<T | undefined> => {
  try {
    return await read()
  } catch (error) {
    if (!AWAY.some(code => isSentinelError(error, code))) throw error
    tell(`${what} cannot be read: ${messageOf(error)}`)
    return undefined
  }
}
