import { randomUUID } from 'node:crypto'
import { inNetwork } from '../../models/rules/field-test.ts'
import { messageOf } from '../../runtime/errors.ts'
import type { Alert, Decision, Verdict } from '../../schemas/generated.ts'
import type { Audit } from '../auth/audit.ts'
import type { Principal } from '../auth/provider.ts'
import type { DecisionStore } from '../store/decisions.ts'

/** Who decides, and from where. */
export interface Decider {
  readonly principal: Principal
  /** Network address. */
  readonly address: string
}

/** What somebody wants done about an alert. */
export type Act = { readonly alertId: string; readonly comment?: string } & (
  | { readonly kind: 'acknowledge' | 'reopen' }
  | { readonly kind: 'comment'; readonly comment: string }
  | { readonly kind: 'resolve'; readonly verdict?: Verdict }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Null takes the alert from everybody. */
  | { readonly kind: 'assign'; readonly assignee: string | null }
)

/** Why nothing was decided: nobody knows the alert, it has changed since it was looked at, or it has ended. */
export type TriageRefusal =
  | { readonly refused: 'unknown' | 'ended' }
  | { readonly refused: 'stale'; readonly revision: number }

/** A decision that was made, and the revision that it makes of its alert unless that has grown further by then. */
export interface Decided {
  readonly decision: Decision
  readonly revision: number
}

/** What threats are to be suppressed: those of which all that is named holds. */
export interface NewSuppression {
  readonly entity?: string
  readonly cidr?: string
  readonly sensor?: string
  readonly technique?: string
  readonly rule?: string
  /** Until when, in ms since 1970 (UTC); for good when not given. */
  readonly expiresAt?: number
  readonly comment?: string
}

/** What people decide about alerts and threats, over whatever they are connected by. */
export interface Triage {
  /**
   * Decides about an alert. `expected` is the revision that the decider has seen; any will do when it is not given. When it
   * resolves the decision is durable, and on its way to `decisions`.
   */
  act(decider: Decider, act: Act, expected?: number): Promise<Decided | TriageRefusal>
  /** Suppresses threats from now on. A text says what is wrong with what was asked for. */
  suppress(decider: Decider, wanted: NewSuppression): Promise<Decision | string>
  /** Ends a suppression; resolves with false when none of this id is in force. */
  lift(decider: Decider, id: string): Promise<boolean>
  /** Takes back everything that was decided about an entity; resolves with how much it was. */
  forget(entity: string): Promise<number>
}

interface TriageDeps {
  readonly store: Pick<DecisionStore, 'addTriage' | 'addSuppression' | 'endSuppression' | 'forgetDecisions'>
  /** The latest revision of an alert that is known here, when this principal may see it. */
  readonly findAlert: (
    id: string,
    principal: Principal,
  ) => Promise<Pick<Alert, 'revision' | 'status' | 'entity'> | undefined>
  /** Called when there is something to publish. */
  readonly wake: () => void
  readonly audit: Audit
  /** In ms since 1970 (UTC). */
  readonly now: () => number
}

/** A decision that says nothing yet. */
export const BLANK_DECISION = {
  comment: null,
  alertId: null,
  assignee: null,
  verdict: null,
  entity: null,
  cidr: null,
  sensor: null,
  technique: null,
  rule: null,
  expiresAt: null,
} satisfies Partial<Decision>

const networkProblem = (cidr: string): string | undefined => {
  try {
    inNetwork(cidr)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

const problemOf = ({ expiresAt, comment, ...named }: NewSuppression, now: number): string | undefined => {
  if (Object.values(named).every(each => each === undefined)) {
    return 'a suppression names an entity, a network, a sensor, a technique or a rule'
  }
  if (expiresAt !== undefined && expiresAt <= now) return 'expiresAt is over already'
  return named.cidr === undefined ? undefined : networkProblem(named.cidr)
}

/** Makes the service that REST and sockets share. Its methods throw NS_SERVICE_UNREACHABLE while the store is away. */
export const createTriage = ({ store, findAlert, wake, audit, now }: TriageDeps): Triage => {
  const make = (
    { principal }: Decider,
    fields: Partial<Decision> & Pick<Decision, 'kind'>,
  ): { readonly decision: Decision; readonly actor: string } => ({
    decision: { ...BLANK_DECISION, ...fields, id: randomUUID(), by: principal.username, at: now() },
    actor: principal.userId,
  })

  const note = (
    { principal, address }: Decider,
    event: string,
    subject: string,
    detail: Record<string, string | number>,
    outcome = 'accepted',
  ) => audit.note({ event, outcome, actor: principal.userId, subject, address, detail })

  return {
    act: async (decider, act, expected) => {
      const { alertId, kind } = act
      const alert = await findAlert(alertId, decider.principal)
      if (alert === undefined) return { refused: 'unknown' }
      const hasEnded = alert.status === 'resolved' || alert.status === 'closed'
      if (kind === 'acknowledge' && hasEnded) return { refused: 'ended' }
      const made = make(decider, act)
      const { outcome, revision } = await store.addTriage(
        { ...made, alertId, entity: alert.entity },
        { known: alert.revision, expected },
      )
      const isDone = outcome === 'done'
      if (isDone) wake()
      await note(decider, `alert.${kind}`, alertId, { revision }, isDone ? 'accepted' : outcome)
      return isDone ? { decision: made.decision, revision } : { refused: 'stale', revision }
    },
    suppress: async (decider, wanted) => {
      const problem = problemOf(wanted, now())
      if (problem !== undefined) return problem
      const made = make(decider, { kind: 'suppress', ...wanted })
      const { decision } = made
      await store.addSuppression({ ...made, entity: decision.entity })
      wake()
      // Not the entity: what is stored about it can be deleted, but for the audit log.
      const { entity, comment, ...detail } = wanted
      await note(decider, 'suppression.create', decision.id, detail)
      return decision
    },
    lift: async (decider, id) => {
      const isLifted = await store.endSuppression(id, now())
      if (isLifted) {
        wake()
        await note(decider, 'suppression.delete', id, {})
      }
      return isLifted
    },
    forget: async entity => {
      const forgotten = await store.forgetDecisions(entity, now())
      if (forgotten > 0) wake()
      return forgotten
    },
  }
}
