import type { RowFilterStore } from '../store/row-filters.ts'
import { isRefusal, type Principal, type Refusal, type SessionProvider } from './provider.ts'

/** A provider whose principals see no more than the row filters in the store let them, wherever they come from. */
export const withRowFilters = (
  provider: SessionProvider,
  store: Pick<RowFilterStore, 'findRowFilter'>,
): SessionProvider => {
  const restrict = async (answer: Principal | Refusal): Promise<Principal | Refusal> =>
    isRefusal(answer) ? answer : { ...answer, rows: await store.findRowFilter(answer.userId) }
  return {
    ...provider,
    validateToken: async token => restrict(await provider.validateToken(token)),
    recheck: async principal => restrict(await provider.recheck(principal)),
  }
}
