import { parseTimespan } from '../../models/rules/measure.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import type { Decision, DecisionKind, Verdict } from '../../schemas/generated.ts'
import { checkDecision } from './decision.ts'

/** What is typed of a decision: its kind, the alert or decision that it is about, and options by name. */
export interface Typed {
  readonly kind: string
  readonly about: string | undefined
  readonly options: Readonly<Record<string, string | undefined>>
}

/** A record of `decisions`: a decision, or the lifting of the suppression with this id. */
export type DecisionRecord =
  | { readonly id: string; readonly decision: Decision }
  | { readonly id: string; readonly decision: null }

const KINDS: readonly DecisionKind[] = [
  'suppress',
  'acknowledge',
  'resolve',
  'reopen',
  'assign',
  'comment',
  'verdict',
]

const VERDICTS: readonly Verdict[] = ['true_positive', 'false_positive']

/** Which options a kind takes beside --by and --id. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  suppress: ['entity', 'cidr', 'sensor', 'technique', 'rule', 'for', 'comment'],
  acknowledge: ['comment'],
  resolve: ['verdict', 'comment'],
  reopen: ['comment'],
  assign: ['to', 'comment'],
  comment: ['comment'],
  verdict: ['verdict', 'comment'],
  lift: [],
}

const usage = (problem: string) => new SentinelError('NS_USAGE', `decide: ${problem}`)

const verdictOf = (text: string | undefined): Verdict | null => {
  const verdict = VERDICTS.find(each => each === text)
  if (text !== undefined && verdict === undefined) {
    throw usage(`--verdict is ${VERDICTS.join(' or ')}, not '${text}'`)
  }
  return verdict ?? null
}

const expiryOf = (text: string | undefined, now: number): number | null => {
  if (text === undefined) return null
  try {
    return now + parseTimespan(text)
  } catch (error) {
    throw usage(`--for: ${messageOf(error)}`)
  }
}

const checkOptions = ({ kind, about, options }: Typed): void => {
  const taken = OPTIONS[kind]
  if (taken === undefined) throw usage(`'${kind}' is none of ${Object.keys(OPTIONS).join(', ')}`)
  for (const [name, value] of Object.entries(options)) {
    const isTaken = name === 'by' || name === 'id' || taken.includes(name)
    if (value !== undefined && !isTaken) throw usage(`${kind} takes no --${name}`)
  }
  if (kind === 'suppress' && about !== undefined) throw usage(`suppress takes options only, not '${about}'`)
  if (kind !== 'suppress' && about === undefined) {
    throw usage(`name ${kind === 'lift' ? 'the suppression' : 'the alert'} by its id: decide ${kind} ID`)
  }
  if (kind === 'comment' && options['comment'] === undefined) throw usage('comment needs --comment TEXT')
}

/**
 * Makes a decision of what was typed. `id` names it unless --id does; `now` is in ms since 1970. Throws NS_USAGE with
 * what is wrong.
 */
export const makeDecision = (typed: Typed, id: string, by: string, now: number): DecisionRecord => {
  checkOptions(typed)
  const { kind, about = null, options } = typed
  if (kind === 'lift') return { id: about ?? '', decision: null }
  const decision: Decision = {
    id: options['id'] ?? id,
    kind: KINDS.find(each => each === kind) ?? 'comment',
    by: options['by'] ?? by,
    at: now,
    comment: options['comment'] ?? null,
    alertId: about,
    assignee: options['to'] ?? null,
    verdict: verdictOf(options['verdict']),
    entity: options['entity'] ?? null,
    cidr: options['cidr'] ?? null,
    sensor: options['sensor'] ?? null,
    technique: options['technique'] ?? null,
    rule: options['rule'] ?? null,
    expiresAt: expiryOf(options['for'], now),
  }
  try {
    checkDecision(decision)
  } catch (error) {
    throw usage(messageOf(error).replace(/^not a decision: /, ''))
  }
  return { id: decision.id, decision }
}
