import { type ApiKeys, isKeyHolder } from './api-keys.ts'
import type { SessionProvider } from './provider.ts'

/** A provider that takes API keys beside the access tokens of another one. */
export const withApiKeys = (
  provider: SessionProvider,
  keys: Pick<ApiKeys, 'isKey' | 'validate' | 'recheck'>,
): SessionProvider => ({
  ...provider,
  validateToken: token => (keys.isKey(token) ? keys.validate(token) : provider.validateToken(token)),
  recheck: principal => (isKeyHolder(principal) ? keys.recheck(principal) : provider.recheck(principal)),
})
