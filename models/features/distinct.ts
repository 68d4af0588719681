/** Most members that a distinct set of the state of an entity holds. */
export const SET_LIMIT = 64

/** Most UTF-16 units that are kept of a text in a set: the state of an entity stays small whatever it sends. */
export const TEXT_LIMIT = 128

/**
 * The form in which a text is kept in a set. A cut must not leave half a surrogate pair, which would come back from the
 * changelog as another character and make a restart change the state.
 */
export const setText = (text: string): string => {
  if (text.length <= TEXT_LIMIT) return text.toWellFormed()
  // Copied, since in V8 a slice holds on to all of the text that it was cut from.
  return Buffer.from(text.slice(0, TEXT_LIMIT).toWellFormed()).toString()
}

/** Where a set holds a member, -1 when it does not. Most likely it is the latest one, or has been here not long ago. */
export const placeOf = <T>(set: readonly T[], member: T): number => {
  let at = set.length - 1
  while (at >= 0 && set[at] !== member) at--
  return at
}

/**
 * The set with a member as its latest, the oldest one left out above {@link SET_LIMIT}; the set itself when that is no
 * change. The member is at `at`, as {@link placeOf} says.
 */
export const withMember = <T>(set: readonly T[], member: T, at: number): readonly T[] => {
  const last = set.length - 1
  if (at >= 0 && at === last) return set
  const next = at < 0 && set.length >= SET_LIMIT ? set.slice(set.length - SET_LIMIT + 1) : set.slice()
  if (at < 0) {
    next.push(member)
    return next
  }
  for (let i = at; i < last; i++) next[i] = next[i + 1] as T
  next[last] = member
  return next
}
