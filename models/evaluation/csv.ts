/**
 * The fields of a line of comma-separated values (RFC 4180): a field may stand in quotes, in which a quote is doubled. A
 * field that spans lines is not understood. Spaces around a field that has no quotes are not part of it.
 */
export const fieldsOf = (line: string): string[] => {
  if (!line.includes('"')) return line.split(',').map(field => field.trim())
  return [...line.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?=,|$)/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain.trim(),
  )
}
