import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import avsc from 'avsc'
import { kcat, kcatHeaders, kcatRead, kcatValues } from '../support/kcat.ts'
import { services, until } from '../support/services.ts'
import { createSystem, type System } from './processes.ts'

const SAMPLES = join(import.meta.dirname, '../../connectors/sources/samples')
const lines = (file: string) =>
  readFileSync(join(SAMPLES, file), 'utf8')
    .split('\n')
    .filter(line => line !== '')

const [zeekTagged = ''] = lines('zeek/metron-kafka-tagged.ndjson')
const openCanary =
  lines('opencanary/opencanary-0.9.10-loopback.ndjson').find(line => line.includes('"logtype": 4002')) ?? ''
const [cowrie = ''] = lines('cowrie/cowrie-3.1.4-loopback.ndjson')

/** A reader that knows nothing of this project: the schema comes from the registry by the id in the record. */
const foreignDecode = async (framed: Buffer): Promise<Record<string, unknown>> => {
  const id = framed.readInt32BE(1)
  const response = await fetch(`${services().schemaRegistryUrl}/schemas/ids/${id}`)
  const { schema } = (await response.json()) as { schema: string }
  return avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema).fromBuffer(framed.subarray(5)) as Record<
    string,
    unknown
  >
}

describe('records as their producers send them', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'netsentinel-e2e-'))
  let system: System
  let raw: string

  beforeAll(async () => {
    system = await createSystem(dataDir)
    raw = `${system.prefix}raw-events`
    await Promise.all([system.ready(['ingest']), system.ready(['score'])])
  })
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

  const ends = async (topic: string, text: string) =>
    until(
      async () => (await kcatRead(`${system.prefix}${topic}`)).find(record => record.payload?.includes(text)),
      {
        what: `${text} in ${topic}`,
      },
    )

  it('takes a Zeek line in the shape of its Kafka writer through to an OCSF finding', async () => {
    await kcat(['-P', '-t', raw], `${zeekTagged}\n`)
    const { uid } = (JSON.parse(zeekTagged) as { http: { uid: string } }).http
    const record = await ends('threats.ocsf', uid)
    expect(JSON.parse(record.payload ?? '')).toMatchObject({ class_uid: 2004 })
  })

  it('takes an OpenCanary line through, and no password with it', async () => {
    const line = openCanary.replace(/"PASSWORD": "[^"]*"/, '"PASSWORD": "Zx9-never-seen-again"')
    await kcat(['-P', '-t', raw], `${line}\n`)
    const { utc_time: time } = JSON.parse(openCanary) as { utc_time: string }
    const record = await ends('threats.ocsf', time)
    expect(record.payload).not.toContain('never-seen-again')
  })

  it.each([
    ['an unknown object', '{"x":1}', 'NS_UNKNOWN_SOURCE'],
    ['no JSON', 'not json', 'NS_NOT_JSON'],
  ])('puts %s into dead-letters with its bytes, and says why', async (_, text, code) => {
    await kcat(['-P', '-t', raw, '-k', `key of ${text}`, '-H', 'kept=yes'], text)
    const record = await ends('dead-letters', text)
    expect(record).toMatchObject({ key: `key of ${text}`, payload: text })
    expect(kcatHeaders(record)).toMatchObject({
      kept: 'yes',
      'ns-code': code,
      'ns-stage': 'ingest',
      'ns-topic': raw,
      'ns-reason': expect.stringMatching(/\w/),
      'ns-partition': expect.stringMatching(/^\d+$/),
      'ns-offset': expect.stringMatching(/^\d+$/),
    })
  })

  it('keeps an empty value and a null value apart in dead-letters', async () => {
    await kcat(['-P', '-t', raw, '-K', ':'], 'empty:\n')
    await kcat(['-P', '-t', raw, '-K', ':', '-Z'], 'null:\n')
    const letters = await until(async () => {
      const records = await kcatRead(`${system.prefix}dead-letters`)
      const found = ['empty', 'null'].map(key => records.find(record => record.key === key))
      return found.every(record => record !== undefined) && found
    })
    expect(letters.map(record => record?.payload)).toEqual(['', null])
  })

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('reads records compressed with %s', async codec => {
    const session = `codec-${codec}-0123`
    const line = JSON.stringify({ ...(JSON.parse(cowrie) as object), session })
    await kcat(['-P', '-t', raw, '-z', codec], `${line}\n${line}\n${line}\n`)
    await until(async () => {
      const found = (await kcatRead(`${system.prefix}threats.ocsf`)).filter(record =>
        record.payload?.includes(session),
      )
      return found.length === 3
    })
  })

  it('lets a foreign reader decode threats with the registry', async () => {
    const line = JSON.stringify({ ...(JSON.parse(cowrie) as object), session: 'foreign-0123' })
    await kcat(['-P', '-t', raw], `${line}\n`)
    const { partition } = await ends('threats.ocsf', 'foreign-0123')
    // One value a line, in hex: kcat prints the bytes, which are not text.
    const values = await kcatValues(`${system.prefix}threats`, partition)
    const threats = await Promise.all(values.map(foreignDecode))
    expect(threats).toContainEqual(
      expect.objectContaining({ entity: expect.stringMatching(/^ip:/), modelVersion: expect.any(String) }),
    )
    expect(JSON.stringify(threats)).toContain('foreign-0123')
  })

  it('keeps events dated years ago and events dated tomorrow', async () => {
    const dated = (session: string, timestamp: string) =>
      JSON.stringify({ ...(JSON.parse(cowrie) as object), session, timestamp })
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
    await kcat(['-P', '-t', raw], `${dated('dated-2018', '2018-03-24T14:37:19.037Z')}\n`)
    await kcat(['-P', '-t', raw], `${dated('dated-tomorrow', tomorrow)}\n`)
    const old = JSON.parse((await ends('threats.ocsf', 'dated-2018')).payload ?? '') as {
      finding_info: object
    }
    expect(JSON.stringify(old.finding_info)).toContain(String(Date.parse('2018-03-24T14:37:19.037Z')))
    await ends('threats.ocsf', 'dated-tomorrow')
    for (const record of await kcatRead(`${system.prefix}threats.ocsf`)) {
      expect(Math.abs(record.ts - Date.now())).toBeLessThan(3_600_000)
    }
  })
})
