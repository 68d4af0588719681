import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { fitColumns, inert, inertJson } from './inert.ts'

const NASTY: ReadonlyArray<readonly [name: string, text: string, shown: string]> = [
  ['a colour', '\u001b[31mred', '\\x1b[31mred'],
  ['a window title', '\u001b]0;root\u0007', '\\x1b]0;root\\x07'],
  ['a device control string', '\u001bP+q\u001b\\', '\\x1bP+q\\x1b\\'],
  ['an 8-bit control sequence introducer', '\u009b2J', '\\x9b2J'],
  ['an 8-bit operating system command', '\u009d52;c;\u009c', '\\x9d52;c;\\x9c'],
  ['a line feed', 'one\ntwo', 'one\\x0atwo'],
  ['a carriage return that hides what was there', 'bad\rgood', 'bad\\x0dgood'],
  ['a tab', 'a\tb', 'a\\x09b'],
  ['backspaces', 'evil\b\b\b\bgood', 'evil\\x08\\x08\\x08\\x08good'],
  ['a null', 'a\0b', 'a\\x00b'],
  ['delete', 'a\u007fb', 'a\\x7fb'],
  ['next line', 'a\u0085b', 'a\\x85b'],
  ['a right-to-left override', '\u202egnp.exe', '\\u202egnp.exe'],
  ['a right-to-left isolate', '\u2067a\u2069', '\\u2067a\\u2069'],
  ['a right-to-left mark', 'a\u200fb', 'a\\u200fb'],
  ['a line separator', 'a\u2028b', 'a\\u2028b'],
  ['a paragraph separator', 'a\u2029b', 'a\\u2029b'],
  ['a zero-width space', 'ad\u200bmin', 'ad\\u200bmin'],
  ['a byte-order mark', '\ufeffa', '\\ufeffa'],
  ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ['half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
  ['an invisible letter', 'a\u3164b', 'a\\u3164b'],
]

describe('inert', () => {
  it.each(NASTY)('shows %s instead of passing it on', (_name, text, shown) => {
    expect(inert(text)).toBe(shown)
  })

  it('leaves text of any script as it is', () => {
    for (const text of ['ip:2001:db8::1', 'Übermäßig', '中文', 'العربية', 'emoji 🦊', 'back\\slash']) {
      expect(inert(text)).toBe(text)
    }
  })

  it('leaves nothing that a terminal obeys in any text, and changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const shown = inert(text)
        for (const character of shown) {
          const code = character.codePointAt(0) ?? 0
          expect(code >= 0x20 && !(code >= 0x7f && code <= 0x9f)).toBe(true)
        }
        expect(inert(shown)).toBe(shown)
      }),
    )
  })
})

describe('inertJson', () => {
  it.each(NASTY)('shows %s as an escape that a parser undoes', (_name, text) => {
    const json = inertJson(JSON.stringify({ [text]: text }))
    expect(json).toMatch(/^[\x20-\x7e]*$/)
    expect(JSON.parse(json)).toEqual({ [text]: text })
  })
})

describe('fitColumns', () => {
  it.each([
    ['short', 8, 'short   '],
    ['exactly8', 8, 'exactly8'],
    ['nine char', 8, 'nine ch…'],
    ['中文中文', 8, '中文中文'],
    ['中文中文中', 8, '中文中… '],
    ['🦊🦊', 5, '🦊🦊 '],
    ['', 3, '   '],
  ])('fits %j into %d columns', (text, columns, fitted) => {
    expect(fitColumns(text, columns)).toBe(fitted)
  })

  it('never cuts a character in half', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, columns) => {
        const fitted = fitColumns(inert(text), columns)
        expect(fitted.isWellFormed()).toBe(true)
        expect([...fitted].length).toBeLessThanOrEqual(columns)
      }),
    )
  })
})
