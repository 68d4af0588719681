import type { ServerResponse } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import avro from 'avsc'
import { createRegistry, type Registry } from '../../connectors/registry.ts'
import { loadSchema } from '../../schemas/avro.ts'
import type { AlertState, Decision, EntityState, Threat } from '../../schemas/generated.ts'
import { makeEvent } from '../support/events.ts'
import { type ReceivedRequest, startReceiver } from '../support/receiver.ts'
import { services, unique } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { makeAlert } from '../support/threats.ts'

const REGISTRY_JSON = 'application/vnd.schemaregistry.v1+json'

const url = () => services().schemaRegistryUrl.replace(/\/$/, '')
const registry = (): Registry => createRegistry({ url: url() })

/** Calls the registry as a foreign program would. */
const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
  const response = await fetch(`${url()}${path}`, {
    method,
    headers: { 'content-type': REGISTRY_JSON },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

const registerForeign = async (topic: string, schema: object): Promise<number> =>
  Number((await call('POST', `/subjects/${topic}-value/versions`, { schema: JSON.stringify(schema) }))['id'])

const framed = (id: number, body: Buffer): Buffer => {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, body])
}

/** The value as JSON, which drops the classes that Avro gives its records. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const event = makeEvent({ user: 'root \u0000 é', dstHost: null, bytesIn: 2 ** 50 })
const threat: Threat = {
  id: event.id,
  time: event.time,
  entity: event.entity,
  score: 0.934,
  severity: 'critical',
  modelVersion: 'baseline-1',
  modelScores: { isolationForest: 0.934 },
  contributions: [
    { feature: 'failures', value: 12.5, share: 0.6, expectedLow: 0, expectedHigh: 2.5, eventsAgo: 0 },
  ],
  techniques: ['T1110'],
  eventOffset: 42,
  event,
}
const alert = makeAlert()
const decision: Decision = {
  id: 'd-1',
  kind: 'resolve',
  by: 'ann',
  at: 1_700_000_000_000,
  comment: null,
  alertId: alert.id,
  assignee: null,
  verdict: 'false_positive',
  entity: null,
  cidr: null,
  sensor: null,
  technique: null,
  rule: null,
  expiresAt: null,
}
const evidence = {
  count: 3,
  firstSeen: 1,
  lastSeen: 2,
  score: 0.9,
  severity: 'high' as const,
  threatIds: ['t-1'],
  techniques: [],
  sensors: [],
  title: 'SSH login failed',
}
const alertState: AlertState = {
  id: `alert:${alert.id}`,
  window: { time: 2, marks: [{ key: 't-1', rule: 'failed', evidence }] },
  alert: { alert, evidence, values: [], recent: ['t-1'], quietSince: 3, decisions: ['d-1'] },
  suppression: decision,
  time: 4,
}
const model = { version: 'm', sequence: 1, since: 0 }
const state: EntityState = { id: 'partition:model/1', behaviour: null, model }

describe('a codec of the registry', () => {
  it.each([
    ['Event', event],
    ['Threat', threat],
    ['Alert', alert],
    ['EntityState', state],
    ['Decision', decision],
    ['AlertState', alertState],
  ] as const)('gives %s back as it was, with its schema id in front', async (name, value) => {
    const codec = await registry().codec(name, unique(`registry-${name}`))
    const bytes = codec.encode(value as never)
    expect(bytes[0]).toBe(0)
    expect(bytes.readInt32BE(1)).toBe(codec.schemaId)
    expect(plain(await codec.decode(bytes))).toEqual(value)
    expect(plain(await registry().decodeAny(bytes))).toEqual(value)
  })

  it('gives a schema the same id again, and sets BACKWARD on its subject', async () => {
    const topic = unique('registry-again')
    const first = await registry().codec('Event', topic)
    const second = await registry().codec('Event', topic)
    expect(second.schemaId).toBe(first.schemaId)
    expect(await call('GET', `/config/${topic}-value`)).toEqual({ compatibilityLevel: 'BACKWARD' })
  })

  it('reads what an older schema wrote: what it lacked is the default, what it had too much is gone', async () => {
    const topic = unique('registry-older')
    const { fields, ...rest } = loadSchema('Event') as { fields: { name: string }[] }
    const older = {
      ...rest,
      fields: [...fields.filter(({ name }) => name !== 'userAgent'), { name: 'legacy', type: 'string' }],
    }
    const id = await registerForeign(topic, older)
    const body = avro.Type.forSchema(older as unknown as avro.Schema).toBuffer({ ...event, legacy: 'x' })
    const codec = await registry().codec('Event', topic)
    expect(codec.schemaId).not.toBe(id)
    const decoded = plain(await codec.decode(framed(id, body)))
    expect(decoded).toEqual({ ...event, userAgent: null })
  })

  it('sets BACKWARD on a subject that has no level', async () => {
    const topic = unique('registry-level')
    await registerForeign(topic, loadSchema('Alert') as object)
    await registry().codec('Alert', topic)
    expect(await call('GET', `/config/${topic}-value`)).toEqual({ compatibilityLevel: 'BACKWARD' })
  })

  it('keeps a level that promises more', async () => {
    const topic = unique('registry-full')
    await registerForeign(topic, loadSchema('Alert') as object)
    await call('PUT', `/config/${topic}-value`, { compatibility: 'FULL_TRANSITIVE' })
    await registry().codec('Alert', topic)
    expect(await call('GET', `/config/${topic}-value`)).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
  })

  it('refuses a subject whose level does not promise that old records can be read', async () => {
    const topic = unique('registry-forward')
    await registerForeign(topic, loadSchema('Alert') as object)
    await call('PUT', `/config/${topic}-value`, { compatibility: 'FORWARD' })
    await expect(registry().codec('Alert', topic)).rejects.toMatchObject({
      code: 'NS_SCHEMA_INCOMPATIBLE',
      message: expect.stringContaining('FORWARD'),
    })
  })

  it('is registered by several processes at once', async () => {
    const topic = unique('registry-race')
    const codecs = await Promise.all(Array.from({ length: 6 }, () => registry().codec('Event', topic)))
    expect(new Set(codecs.map(({ schemaId }) => schemaId)).size).toBe(1)
    expect(await call('GET', `/config/${topic}-value`)).toEqual({ compatibilityLevel: 'BACKWARD' })
  })

  it('registers again when the registry fails by itself', async () => {
    let failures = 2
    const forward = async (request: ReceivedRequest | undefined, response: ServerResponse) => {
      const { method = 'GET', path = '', body = '' } = request ?? {}
      if (method === 'POST' && path.endsWith('/versions') && failures-- > 0) {
        response.writeHead(500).end('{"error_code":500,"message":"Unique index or primary key violation"}')
        return
      }
      const answer = await fetch(new URL(path, url()), {
        method,
        headers: { 'content-type': REGISTRY_JSON },
        ...(body === '' ? {} : { body }),
      })
      response.writeHead(answer.status, { 'content-type': REGISTRY_JSON }).end(await answer.text())
    }
    const front = await startReceiver((index, response) => void forward(front.requests[index], response))
    cleanUp(() => front.close())
    const flaky = createRegistry({ url: `${front.url}${new URL(url()).pathname}` })
    expect((await flaky.codec('Event', unique('registry-broken'))).schemaId).toBeGreaterThan(0)
    expect(failures).toBeLessThan(0)
  })

  it('refuses what no schema explains as poison', async () => {
    const codec = await registry().codec('Event', unique('registry-poison'))
    const valid = codec.encode(event)
    const undecodable = expect.objectContaining({ code: 'NS_UNDECODABLE', outcome: 'poison' })
    const poison: [string, Buffer][] = [
      ['no framing', Buffer.from('{"id":1}')],
      ['nothing behind the header', framed(codec.schemaId, Buffer.alloc(0))],
      ['an id that nobody registered', framed(2_000_000_000, Buffer.from('body'))],
      ['a body that is cut', valid.subarray(0, valid.length - 3)],
      ['a body that goes on', Buffer.concat([valid, Buffer.from([1])])],
      ['garbage', framed(codec.schemaId, Buffer.alloc(64, 0xff))],
    ]
    for (const [what, bytes] of poison) {
      const outcome = await codec.decode(bytes).then(
        () => `decoded ${what}`,
        (error: unknown) => error,
      )
      expect(outcome).toEqual(undecodable)
    }
    await expect(registry().decodeAny(framed(2_000_000_000, Buffer.from('body')))).rejects.toEqual(
      undecodable,
    )
    await expect(registry().decodeAny(Buffer.from('no'))).rejects.toEqual(undecodable)
  })

  it('refuses a value of another schema as poison', async () => {
    const [events, alerts] = [unique('registry-events'), unique('registry-alerts')]
    const wrong = (await registry().codec('Alert', alerts)).encode(alert)
    const codec = await registry().codec('Event', events)
    await expect(codec.decode(wrong)).rejects.toMatchObject({ code: 'NS_UNDECODABLE' })
  })

  it('refuses to write what does not fit the schema as a defect', async () => {
    const codec = await registry().codec('Alert', unique('registry-defect'))
    expect(() => codec.encode({ ...alert, count: 'three' } as never)).toThrow(
      expect.objectContaining({ code: 'NS_INTERNAL', message: expect.stringContaining('Alert') }),
    )
  })

  it('refuses to start with a schema that cannot read what is there, and says why', async () => {
    const topic = unique('registry-incompatible')
    await registerForeign(topic, {
      type: 'record',
      name: 'Event',
      namespace: 'netsentinel',
      fields: [{ name: 'id', type: 'int' }],
    })
    await call('PUT', `/config/${topic}-value`, { compatibility: 'BACKWARD' })
    const outcome = await registry()
      .codec('Event', topic)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
    expect(outcome).toMatchObject({ code: 'NS_SCHEMA_INCOMPATIBLE', outcome: 'fatal' })
    expect(String(outcome)).toContain(`${topic}-value`)
    expect(String(outcome)).toContain('id: cannot read "int" as "string"')
  })

  it('is retriable while the registry is away', async () => {
    const away = createRegistry({ url: 'http://127.0.0.1:1' })
    await expect(away.codec('Event', 'x')).rejects.toMatchObject({
      code: 'NS_SERVICE_UNREACHABLE',
      outcome: 'retriable',
    })
  })
})
