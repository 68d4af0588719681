import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { alertAt, makeThreat, threatAt } from '../test/support/threats.ts'
import {
  CHANNELS,
  CLOSE,
  CLOSE_MEANING,
  type Content,
  clientMessage,
  parseDelivery,
  SERVER_MESSAGES,
  writeData,
  writeDelivery,
} from './wire.ts'

const text = readFileSync(new URL('../docs/sockets.md', import.meta.url), 'utf8')

describe('docs/sockets.md', () => {
  it('has each close code, whether to come back, and what it means', () => {
    const rows = [...text.matchAll(/^\| (\d{4}) \| (\w+) \| (yes|no) \| (.+) \|$/gm)].map(row => row.slice(1))
    const codes = Object.entries(CLOSE).map(([name, code]) => [
      String(code),
      name,
      code < 4_500 ? 'yes' : 'no',
      CLOSE_MEANING[name as keyof typeof CLOSE],
    ])
    expect(rows).toEqual(codes)
  })

  it('names each channel and each message of both sides', () => {
    const types = [...clientMessage.options, ...SERVER_MESSAGES].map(({ shape }) => shape.type.value)
    for (const channel of CHANNELS) expect(text).toContain(`| \`${channel}\` |`)
    expect(
      types.filter(
        type =>
          !text.includes(`\`${type}\``) &&
          !text.includes(`"type": "${type}"`) &&
          !text.includes(`"type":"${type}"`),
      ),
    ).toEqual([])
  })
})

describe('a delivery', () => {
  it('is written as JSON, and read again', () => {
    for (const delivery of [threatAt(7), alertAt(3)]) {
      const data = writeData(delivery)
      expect(data).toBe(JSON.stringify(delivery.data))
      const text = writeDelivery(delivery.type, delivery.position, data ?? '')
      expect(parseDelivery(text)).toEqual(delivery)
    }
  })

  it('is not written when it could not be read again', () => {
    const wrong: Content[] = [
      { type: 'threat', data: makeThreat({ id: '' }) },
      { type: 'threat', data: makeThreat({ score: Number.NaN }) },
      { type: 'threat', data: makeThreat({ modelScores: { forest: Number.POSITIVE_INFINITY } }) },
    ]
    for (const content of wrong) expect(writeData(content)).toBeUndefined()
  })

  it('may have fields that a newer release has added', () => {
    const data = { ...makeThreat(), novel: 'field' }
    expect(JSON.parse(writeData({ type: 'threat', data }) ?? '')).toEqual(data)
  })
})
