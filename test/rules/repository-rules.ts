import type { TextFile } from './files.ts'

/** A rule about the text of a file. */
interface TextRule {
  readonly what: string
  readonly pattern: RegExp
  /** Files that it does not hold for: folders end in a slash. */
  readonly except?: readonly string[]
}

/** The rules themselves, and what shows that they hold, spell out what they forbid. */
const OWN = ['test/rules/']

const SOURCE_RULES: readonly TextRule[] = [
  {
    what: 'the environment is read in runtime/config.ts alone',
    pattern: /\bprocess\.env\b/,
    except: ['runtime/config.ts', 'test/support/', 'bench/'],
  },
  { what: 'no any', pattern: /\bas any\b|[:<]\s*any\s*[,;)>=\]]/ },
  {
    what: 'no compiler or linter is silenced',
    pattern: /@ts-(?:ignore|expect-error|nocheck)|biome-ignore|(?:ox|es)lint-disable/,
  },
  { what: 'nothing is left to do', pattern: /\b(?:TODO|FIXME|XXX)\b/ },
  { what: 'no barrels', pattern: /^export \*/m },
  { what: 'modules are not mocked', pattern: /\bjest\.(?:unstable_)?(?:mock|mockModule|doMock)\(/ },
  { what: 'no test is skipped or run alone', pattern: /\b(?:it|test|describe)\.(?:only|skip|todo)\b/ },
  {
    what: 'an ignored rejection says why, in a comment on the line before',
    pattern: /^(?![^\n]*\/\/)[^\n]*\n[^\n]*\.catch\(\(\) => (?:undefined|\{\s*\})\)/m,
  },
]

const TEXT_RULES: readonly TextRule[] = [
  { what: 'nothing outside the repository is named', pattern: /\.\.\/shared\b|\/work\/(?:main|shared)\b/ },
]

const MAX_LINES = 400
/** Written from the schemas: as long as they are many. */
const GENERATED = 'schemas/generated.ts'

const applies = (path: string, rule: TextRule): boolean =>
  ![...OWN, ...(rule.except ?? [])].some(place =>
    place.endsWith('/') ? path.startsWith(place) : path === place,
  )

const broken = (rules: readonly TextRule[], { path, text }: TextFile): string[] =>
  rules.flatMap(rule => {
    const found = applies(path, rule) ? rule.pattern.exec(text) : null
    if (found === null) return []
    const line = text.slice(0, found.index + found[0].length).split('\n').length
    return [`${path}:${line}: ${rule.what}`]
  })

/** What is wrong with the text of any file. */
export const textProblems = (file: TextFile): string[] => broken(TEXT_RULES, file)

/** What is wrong with a source file, beside its imports. */
export const sourceProblems = (file: TextFile): string[] => {
  const lines = file.text.split('\n').length - 1
  return [
    ...textProblems(file),
    ...broken(SOURCE_RULES, file),
    ...(lines > MAX_LINES && file.path !== GENERATED
      ? [`${file.path}: ${lines} lines, of at most ${MAX_LINES}`]
      : []),
    ...(/(?:^|\/)index\.ts$/.test(file.path) ? [`${file.path}: no barrels`] : []),
  ]
}

const BUILT_IN = new Set(['install', 'ci', 'init', 'version', 'help'])

/** Scripts that a page tells its reader to run, in code: `npm run X`, `npm start` or `npm test`. */
export const scriptsNamedIn = (text: string): string[] =>
  [...text.matchAll(/(?:`|^\s*(?:\$ )?|(?:&&|\||;) )npm (?:run (?:-s |--silent )?)?([a-z][\w:-]*)/gm)]
    .map(([, name]) => name ?? '')
    .filter(name => !BUILT_IN.has(name))

/** The scripts of package.json that people run: not those that npm runs before and after others. */
export const scriptsForPeople = (scripts: Readonly<Record<string, string>>): string[] =>
  Object.keys(scripts).filter(name => {
    const base = /^(?:pre|post)(.+)$/.exec(name)?.[1]
    return base === undefined || !(base in scripts || base === 'install')
  })
