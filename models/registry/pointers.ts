import { SentinelError } from '../../runtime/errors.ts'
import type { Move, Pointer, Role } from './records.ts'

/** Moves that a pointer remembers. */
const REMEMBERED = 20

/** Why a pointer moves. */
interface Step {
  readonly at: number
  readonly reason: string
}

const follow = (current: Pointer): Move[] =>
  [...current.before, { version: current.version, sequence: current.sequence, back: current.back }].slice(
    -REMEMBERED,
  )

/**
 * Where a pointer stands once it has moved on to a version. `floor` is a sequence that the first one must be above: that
 * of the model that was in force without being pointed at.
 */
export const pointAt = (
  current: Pointer | undefined,
  to: Step & { readonly role: Role; readonly version: string; readonly floor: number },
): Pointer => {
  const { floor, ...rest } = to
  const sequence = Math.max(floor, current?.sequence ?? 0) + 1
  return { ...rest, sequence, back: false, before: current === undefined ? [] : follow(current) }
}

/** The versions that a pointer would step back through, the next one last. */
export const stepsBack = (current: Pointer): string[] => {
  const passed: string[] = []
  for (const { version, back } of follow(current)) {
    if (back) passed.pop()
    if (passed.at(-1) !== version) passed.push(version)
  }
  return passed.slice(0, -1)
}

/** Where a pointer stands once it has stepped back. Throws NS_USAGE when it has nowhere to go back to. */
export const stepBack = (current: Pointer, step: Step): Pointer => {
  const version = stepsBack(current).at(-1)
  if (version === undefined) {
    throw new SentinelError('NS_USAGE', `there is no champion before ${current.version} to go back to`)
  }
  const { role, sequence } = current
  return { ...step, role, version, sequence: sequence + 1, back: true, before: follow(current) }
}
