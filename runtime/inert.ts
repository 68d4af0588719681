/**
 * What a terminal could obey or be misled by: C0 and C1 controls and DEL (escape sequences begin with one), bidirectional
 * controls, invisible and zero-width characters, separators of lines, tags, and halves of surrogate pairs.
 */
const DANGEROUS =
  /[\p{Cc}\p{Cf}\p{Cs}\u{2028}\u{2029}\u{115f}\u{1160}\u{3164}\u{ffa0}\p{Variation_Selector}]/gu

const escapeOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  const hex = code.toString(16)
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`
}

/** Text from an event as it may be shown in a terminal: what could act on it becomes a visible escape. */
export const inert = (text: string): string => text.replace(DANGEROUS, escapeOf)

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u{3000}-\u{303f}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}]/u

/** A combining mark counts as a column of its own: piled up, they could otherwise cover the lines around. */
const columnsOf = (character: string): number => (WIDE.test(character) ? 2 : 1)

/** Cuts or pads inert text to a number of terminal columns; what is cut ends in `…`. */
export const fitColumns = (text: string, columns: number): string => {
  const characters = [...text.normalize('NFC')]
  const total = characters.reduce((sum, character) => sum + columnsOf(character), 0)
  if (total <= columns) return characters.join('') + ' '.repeat(columns - total)
  let used = 0
  let out = ''
  for (const character of characters) {
    if (used + columnsOf(character) > columns - 1) break
    used += columnsOf(character)
    out += character
  }
  return `${out}…${' '.repeat(Math.max(0, columns - 1 - used))}`
}

/** The same for a JSON text without white space between its tokens: each becomes the escape that JSON has for it. */
export const inertJson = (json: string): string =>
  json.replace(DANGEROUS, character =>
    Array.from(character.split(''), unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(
      '',
    ),
  )
