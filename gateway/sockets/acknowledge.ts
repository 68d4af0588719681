import { isSentinelError } from '../../runtime/errors.ts'
import type { ClientMessage, ServerMessage } from '../../schemas/wire.ts'
import { isGranted } from '../auth/permissions.ts'
import type { Decider, Triage } from '../triage/triage.ts'

const REFUSALS = {
  unknown: 'there is no such alert',
  ended: 'this alert has ended',
  stale: 'this alert has changed since',
} as const

/** Acknowledges an alert for a client, as `POST /alerts/:id/acknowledge` does, and says what came of it. */
export const acknowledge = async (
  triage: Pick<Triage, 'act'>,
  decider: Decider,
  { alertId, revision: expected, comment, id }: Extract<ClientMessage, { type: 'acknowledge' }>,
): Promise<ServerMessage> => {
  const asked = id === undefined ? {} : { id }
  const refuse = (code: string, message: string): ServerMessage => ({
    type: 'error',
    code,
    message,
    ...asked,
  })
  if (!isGranted(decider.principal, 'alerts:triage')) {
    return refuse('forbidden', 'your role may not acknowledge alerts')
  }
  try {
    const act = { kind: 'acknowledge', alertId, ...(comment === undefined ? {} : { comment }) } as const
    const outcome = await triage.act(decider, act, expected)
    if ('refused' in outcome) return refuse(outcome.refused, REFUSALS[outcome.refused])
    return { type: 'acknowledged', alertId, revision: outcome.revision, ...asked }
  } catch (error) {
    if (!isSentinelError(error, 'NS_SERVICE_UNREACHABLE')) throw error
    return refuse('unavailable', 'the alert cannot be acknowledged at this moment')
  }
}
