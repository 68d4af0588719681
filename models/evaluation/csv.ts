/**
 * The fields of a row of comma-separated values (RFC 4180): a field may stand in quotes, in which a quote is doubled.
 * Spaces around a field that has no quotes are not part of it.
 */
export const fieldsOf = (line: string): string[] => {
  if (!line.includes('"')) return line.split(',').map(field => field.trim())
  // Each field with the comma before it: an empty one matches something, too.
  return [...`,${line}`.matchAll(/,\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?=,|$)/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain.trim(),
  )
}

/** Whether a line ends within a field in quotes, so that the row goes on in the next. */
export const isOpen = (line: string): boolean =>
  /(?:^|,)\s*"/.test(line) && (line.split('"').length - 1) % 2 === 1
