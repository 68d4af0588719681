import type { Event, Severity, Threat } from '../../schemas/generated.ts'

/** Severities, least first. */
export const SEVERITIES: readonly Severity[] = ['low', 'medium', 'high', 'critical']

/** Place of a severity in {@link SEVERITIES}. */
export const severityRank = (severity: Severity): number => SEVERITIES.indexOf(severity)

/** What a field holds, and with it which modifiers make sense on it. */
export type FieldKind = 'text' | 'number' | 'flag' | 'list' | 'severity'

/** A field that rules may name. */
export interface Field {
  readonly name: string
  readonly kind: FieldKind
  /** Its value in a threat; null when it is absent. */
  valueOf(threat: Threat): string | number | boolean | readonly string[] | null
}

const TEXTS = [
  'source',
  'sensor',
  'type',
  'title',
  'category',
  'action',
  'outcome',
  'srcIp',
  'dstIp',
  'dstHost',
  'transport',
  'service',
  'session',
  'user',
  'secretHash',
  'command',
  'url',
  'method',
  'status',
  'userAgent',
  'query',
  'fileName',
  'fileHash',
  'fingerprint',
  'signatureId',
  'signature',
  'original',
] as const satisfies readonly (keyof Event)[]

const NUMBERS = [
  'srcPort',
  'dstPort',
  'sourceSeverity',
  'durationMs',
  'bytesIn',
  'bytesOut',
  'packets',
] as const satisfies readonly (keyof Event)[]

const OWN: readonly Field[] = [
  { name: 'id', kind: 'text', valueOf: ({ id }) => id },
  { name: 'time', kind: 'number', valueOf: ({ time }) => time },
  { name: 'entity', kind: 'text', valueOf: ({ entity }) => entity },
  { name: 'score', kind: 'number', valueOf: ({ score }) => score },
  { name: 'severity', kind: 'severity', valueOf: ({ severity }) => severity },
  { name: 'modelVersion', kind: 'text', valueOf: ({ modelVersion }) => modelVersion },
  {
    name: 'techniques',
    kind: 'list',
    valueOf: ({ techniques }) => (techniques.length === 0 ? null : techniques),
  },
  { name: 'clockSkew', kind: 'flag', valueOf: ({ event }) => event.clockSkew },
]

const FIELDS: ReadonlyMap<string, Field> = new Map(
  [
    ...OWN,
    ...TEXTS.map((name): Field => ({ name, kind: 'text', valueOf: ({ event }) => event[name] })),
    ...NUMBERS.map((name): Field => ({ name, kind: 'number', valueOf: ({ event }) => event[name] })),
  ].map(field => [field.name, field]),
)

/** The field of this name: of the threat, or of its event; undefined when there is none. */
export const fieldOf = (name: string): Field | undefined => FIELDS.get(name)

/** Names of all fields, for messages and documentation. */
export const fieldNames = (): string[] => [...FIELDS.keys()].toSorted()
