import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { CLOSE } from '../../schemas/wire.ts'
import { createTestApp } from '../../test/support/app.ts'
import { makeAlert, makeThreat } from '../../test/support/threats.ts'
import { asyncApi } from './asyncapi.ts'

const SPECIFICATION = new URL(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'))

const read = () => JSON.parse(JSON.stringify(asyncApi()))

/** Whether a message is one that the document describes. */
const createCheck = () => {
  const document = read()
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema({ $id: 'document', components: document.components })
  return (message: { readonly type: string; readonly [field: string]: unknown }) => {
    const { payload } = document.components.messages[message.type]
    const schema = JSON.parse(JSON.stringify(payload).replaceAll('"#/components/', '"document#/components/'))
    ajv.validate(schema, message)
    return ajv.errors ?? []
  }
}

describe('the AsyncAPI document', () => {
  it('is valid by AsyncAPI 3.0', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false })
    const isValid = ajv.compile(JSON.parse(readFileSync(SPECIFICATION, 'utf8')))
    isValid(read())
    expect(isValid.errors).toBeNull()
  })

  it('refers to nothing that it does not have', () => {
    const document = read()
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, to]) => to)
    expect(references.length).toBeGreaterThan(20)
    for (const reference of references) {
      const [found] = (reference ?? '').split('/').reduce(([at], key) => [at?.[key]], [document])
      expect([reference, typeof found]).toEqual([reference, 'object'])
    }
  })

  it('has the messages of both sides, threats and alerts as they are delivered', () => {
    const problems = createCheck()
    const position = { partition: 0, offset: 7, previous: null }
    for (const message of [
      { type: 'subscribe', channel: 'threats', id: '1' },
      {
        type: 'subscribed',
        channel: 'threats',
        epoch: 'e',
        positions: [{ partition: 0, offset: 7 }],
        id: '1',
      },
      { type: 'threat', position, data: makeThreat() },
      { type: 'alert', position, data: makeAlert() },
      { type: 'refreshed', expiresAt: 1_700_000_000_000 },
    ]) {
      expect([message.type, problems(message)]).toEqual([message.type, []])
    }
    expect(problems({ type: 'subscribe' })).not.toEqual([])
    const { entity, ...rest } = makeThreat()
    expect(problems({ type: 'threat', position, data: rest })).not.toEqual([])
  })

  it('says of each close code whether to come back', () => {
    const codes: { code: number; retry: boolean; description: string }[] =
      read().channels.socket['x-close-codes']
    expect(codes.map(({ code }) => code)).toEqual(Object.values(CLOSE))
    for (const { code, retry, description } of codes) {
      expect([code, retry]).toEqual([code, code < 4_500])
      expect(description).not.toBe('')
    }
  })

  it('is for whoever is logged in', async () => {
    const { ask, tokenOf } = await createTestApp()
    expect((await ask('GET', '/asyncapi.json')).statusCode).toBe(401)
    const response = await ask('GET', '/asyncapi.json', { token: await tokenOf('viewer') })
    expect(response.json()).toEqual(read())
  })
})
