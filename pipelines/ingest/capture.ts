import { readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const SAMPLES = fileURLToPath(new URL('../../connectors/sources/samples', import.meta.url))

/**
 * The files of the bundled capture, one of each source in turn, so that a replay shows each of them early; always in the
 * same order.
 */
export const bundledCapture = (): readonly string[] => {
  const files = readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.(ndjson|log)(\.gz)?$/.test(name))
    .toSorted()
  const bySource = [...Map.groupBy(files, name => name.split(sep)[0]).values()]
  const rounds = Math.max(...bySource.map(some => some.length))
  return Array.from({ length: rounds }, (_, round) => bySource.flatMap(some => some[round] ?? []))
    .flat()
    .map(name => join(SAMPLES, name))
}
