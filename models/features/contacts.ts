import type { Contact } from '../../schemas/generated.ts'
import type { JudgedEvent } from './event-fields.ts'

/** Most services whose rhythm is followed; the one that was called longest ago is forgotten first. */
export const CONTACT_LIMIT = 12

/** Calls that are closer together than this, in ms, are one contact: a page and its pictures, a connection and its handshake. */
export const SAME_CONTACT_MS = 10_000

/** Calls that are further apart than this, in ms, have no rhythm; a call as much older than the latest had another clock. */
const UNRELATED_MS = 7 * 86_400_000

/** How far a gap may be from the interval so far, as a share of it, to keep the beat. */
const TOLERANCE = 0.3

/** Weight of the latest gap in the interval. */
const LATEST = 1 / 4

/** The target of an event: its address, else its host name. */
export const targetOf = (event: JudgedEvent): string | null => event.dstIp ?? event.dstHost

/** FNV-1a over the text and the number, as a signed 32-bit integer. */
const hash = (text: string, number: number): number => {
  let sum = 0x811c9dc5
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return Math.imul(sum ^ number, 0x01000193) | 0
}

const isCall = ({ category, action }: JudgedEvent): boolean =>
  (action === 'connect' || action === 'request') &&
  (category === 'network' || category === 'web' || category === 'tls')

/** The contact after one more call at `time`; the same object when the call is part of the latest one. */
const called = (contact: Contact, time: number): Contact => {
  const gap = time - contact.time
  if (gap > UNRELATED_MS || gap < -UNRELATED_MS) return { target: contact.target, time, gapMs: 0, beats: 0 }
  if (gap < SAME_CONTACT_MS) return contact
  const { gapMs } = contact
  const kept = gapMs > 0 && Math.abs(gap - gapMs) <= TOLERANCE * gapMs
  return {
    target: contact.target,
    time,
    gapMs: kept ? Math.round(gapMs + (gap - gapMs) * LATEST) : gap,
    beats: kept ? contact.beats + 1 : 1,
  }
}

/**
 * The contact that an event makes, with the beat as it stands after it; null for an event that calls no service. A beat is
 * what an implant calls home in: one interval, kept again and again within 30 %, of 10 s or more.
 */
export const contactOf = (contacts: readonly Contact[], event: JudgedEvent): Contact | null => {
  const host = targetOf(event)
  if (host === null || event.dstPort === null || !isCall(event)) return null
  const target = hash(host, event.dstPort)
  const known = contacts.findLast(each => each.target === target)
  return known === undefined ? { target, time: event.time, gapMs: 0, beats: 0 } : called(known, event.time)
}

/** The contacts with one as the latest; the same list when that is no change. */
export const withContact = (contacts: readonly Contact[], contact: Contact | null): readonly Contact[] => {
  if (contact === null || contacts.at(-1) === contact) return contacts
  const others = contacts.filter(each => each.target !== contact.target)
  if (others.length >= CONTACT_LIMIT) others.shift()
  others.push(contact)
  return others
}
