import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')
const SKIPPED = new Set(['node_modules', '.git', '.netsentinel', 'coverage', 'samples', 'fixtures'])

/** A file of the repository: its path from the root, with slashes, and its text. */
export interface TextFile {
  readonly path: string
  readonly text: string
}

const walk = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap(entry => {
    if (SKIPPED.has(entry.name)) return []
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    return entry.isDirectory() ? walk(path) : [path]
  })

/** The text of one file. */
export const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Every file of the repository that is ours and ends in one of these. */
export const filesEndingIn = (...endings: readonly string[]): TextFile[] =>
  walk('')
    .filter(path => endings.some(ending => path.endsWith(ending)))
    .toSorted()
    .map(path => ({ path, text: readText(path) }))
