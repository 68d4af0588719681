import { EventEmitter } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import { askPassword } from './prompt.ts'

const type = async (...keys: string[]) => {
  const shown: string[] = []
  const modes: boolean[] = []
  const input = Object.assign(new EventEmitter(), {
    setRawMode: (isRaw: boolean) => modes.push(isRaw),
    setEncoding: () => undefined,
    resume: () => undefined,
    pause: () => undefined,
  })
  const output = { write: (text: string) => shown.push(text) > 0 }
  const asked = askPassword('password: ', { input, output } as unknown as Parameters<typeof askPassword>[1])
  for (const key of keys) input.emit('data', key)
  const result = await asked.catch((error: unknown) => error)
  return { result, shown: shown.join(''), modes, listeners: input.listenerCount('data') }
}

describe('the prompt for a password', () => {
  it('takes what is typed or pasted, shows none of it, and leaves the terminal as it was', async () => {
    const { result, shown, modes, listeners } = await type('c', 'orrect', ' horse', '\r')
    expect(result).toBe('correct horse')
    expect(shown).toBe('password: \n')
    expect(modes).toEqual([true, false])
    expect(listeners).toBe(0)
  })

  it('lets a character be taken back', async () => {
    expect((await type('ab', '\u{7f}', '\u{7f}', '\u{7f}', 'xä', '\u{8}', 'y', '\n')).result).toBe('xy')
  })

  it.each(['\u{3}', '\u{4}'])('gives up on an interrupt', async key => {
    const { result, modes } = await type('abc', key)
    expect(result).toMatchObject({ code: 'NS_USAGE' })
    expect(modes).toEqual([true, false])
  })
})
