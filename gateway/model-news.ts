import type { ModelKeys } from '../models/registry/keys.ts'
import { createLedger, type LedgerRecord } from '../models/registry/ledger.ts'
import type { Role } from '../models/registry/records.ts'
import type { ServerMessage } from '../schemas/wire.ts'
import type { Notices } from './sockets/notices.ts'

/** What came of a pointer to a model. */
type ModelNotice = Extract<ServerMessage, { type: 'model' }>

const ROLES: readonly Role[] = ['champion', 'challenger']

/**
 * Reads the records of the topic `models`, and tells the channel `models` when the champion or the challenger is another
 * one. Whoever comes later is told who they are. What is not signed by a key that is believed is passed over.
 */
export const createModelNews = (keys: ModelKeys, notices: Pick<Notices, 'post' | 'end'>) => {
  const ledger = createLedger(keys)
  const told = new Map<Role, number>()
  const tell = (role: Role) => {
    const pointer = ledger.pointer(role)
    if (pointer === undefined) {
      if (!told.delete(role)) return
      const gone: ModelNotice = {
        type: 'model',
        role,
        event: 'withdrawn',
        version: null,
        at: null,
        reason: null,
      }
      notices.end('models', role, gone)
      return
    }
    const { version, sequence, back, at, reason } = pointer
    if (told.get(role) === sequence) return
    told.set(role, sequence)
    const event = back ? 'rolled-back' : role === 'champion' ? 'promoted' : 'tried'
    notices.post('models', role, { type: 'model', role, event, version, at, reason })
  }
  return (records: readonly LedgerRecord[]): void => {
    ledger.take(records)
    ROLES.forEach(tell)
  }
}
