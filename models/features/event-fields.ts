import type { Event } from '../../schemas/generated.ts'

/** The fields of an event that features and state are made of, and its id, for messages. */
export const EVENT_FIELDS = [
  ...(['id', 'entity', 'time', 'type', 'category', 'action', 'outcome'] as const),
  ...(['dstIp', 'dstPort', 'dstHost', 'transport', 'service', 'user'] as const),
  ...(['command', 'url', 'userAgent', 'query', 'fileName'] as const),
  ...(['sourceSeverity', 'durationMs', 'bytesIn', 'bytesOut', 'packets'] as const),
] satisfies (keyof Event)[]

/** As much of an event as is judged by: half of its fields, a third of its bytes. */
export type JudgedEvent = Pick<Event, (typeof EVENT_FIELDS)[number]>
