import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from '../runtime/command.ts'
import { renderConfigMarkdown, renderEnvExample, type Section } from '../runtime/config.ts'
import { EXIT } from '../runtime/lifecycle.ts'
import { renderTypes } from './generate.ts'
import { nextHistory } from './history.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** A file that is written from the sources. */
export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string
  readonly content: string
}

/** Every generated file as it must be. */
const generatedFiles = (
  sections: readonly Section[],
  pages: readonly GeneratedFile[],
): readonly GeneratedFile[] => [
  { path: 'schemas/generated.ts', content: renderTypes() },
  { path: 'docs/configuration.md', content: renderConfigMarkdown(sections) },
  { path: '.env.example', content: renderEnvExample(sections) },
  ...pages,
  ...nextHistory(),
]

const isFresh = ({ path, content }: GeneratedFile): boolean =>
  existsSync(`${ROOT}${path}`) && readFileSync(`${ROOT}${path}`, 'utf8') === content

/**
 * Makes `netsentinel generate` for the sections that the program is configured by, and for pages made of what lies above
 * the schemas. It names every file that it wrote,
 * and with `--check` every file that it would have written. Throws NS_SCHEMA_INCOMPATIBLE when a schema has changed so
 * that records of an earlier version could not be read any more.
 */
export const createGenerate = (
  sections: readonly Section[],
  pages: readonly GeneratedFile[],
): Command<unknown> => ({
  summary:
    'Write the generated files of this repository: types, schema history, references of configuration and features.',
  options: {
    check: {
      type: 'boolean',
      doc: 'Write nothing; name the files that are stale and exit with 1 when there are any.',
    },
  },
  run: async ({ print, options }) => {
    const check = options['check'] === true
    const stale = generatedFiles(sections, pages).filter(file => !isFresh(file))
    for (const { path, content } of stale) {
      print(path)
      if (check) continue
      mkdirSync(dirname(`${ROOT}${path}`), { recursive: true })
      writeFileSync(`${ROOT}${path}`, content)
    }
    return check && stale.length > 0 ? EXIT.failure : EXIT.ok
  },
})
