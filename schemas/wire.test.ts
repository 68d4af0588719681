import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { CHANNELS, CLOSE, CLOSE_MEANING, clientMessage, SERVER_MESSAGES } from './wire.ts'

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
