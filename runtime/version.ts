import { readFileSync } from 'node:fs'

/** The version of NetSentinel, from package.json: what it says of itself on every surface. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
