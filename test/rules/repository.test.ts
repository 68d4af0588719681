import { describe, expect, it } from '@jest/globals'
import { filesEndingIn, readText } from './files.ts'
import { scriptsForPeople, scriptsNamedIn, sourceProblems, textProblems } from './repository-rules.ts'

const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> }

describe('the repository', () => {
  it('keeps the rules for sources', () => {
    expect(filesEndingIn('.ts').flatMap(sourceProblems)).toEqual([])
  })

  it('names nothing outside itself', () => {
    const files = filesEndingIn(
      '.md',
      '.json',
      '.avsc',
      '.html',
      '.js',
      '.css',
      '.xml',
      '.yaml',
      '.yml',
      'run',
    )
    expect(files.length).toBeGreaterThan(10)
    expect(files.flatMap(textProblems)).toEqual([])
  })

  it('has five to eight npm scripts', () => {
    const names = scriptsForPeople(scripts)
    expect(names).toEqual(expect.arrayContaining(['start', 'test', 'check']))
    expect(names.length).toBeGreaterThanOrEqual(5)
    expect(names.length).toBeLessThanOrEqual(8)
  })

  it('has every npm script that its README names, `npm start` and `npm test` among them', () => {
    const named = scriptsNamedIn(readText('README.md'))
    expect(named).toEqual(expect.arrayContaining(['start', 'test']))
    expect(named.filter(name => !(name in scripts))).toEqual([])
  })

  it('has every npm script that the other pages name', () => {
    const named = filesEndingIn('.md').flatMap(({ path, text }) =>
      scriptsNamedIn(text)
        .filter(name => !(name in scripts))
        .map(name => `${path}: npm run ${name}`),
    )
    expect(named).toEqual([])
  })
})

describe('sourceProblems', () => {
  const problems = (text: string, path = 'gateway/a.ts') => sourceProblems({ path, text })

  it.each([
    ['const a = process.env.HOME', 'the environment'],
    ['const a = b as any', 'no any'],
    ['const a = (b: any) => b', 'no any'],
    ['const a: Array<any> = []', 'no any'],
    ['// @ts-expect-error because', 'silenced'],
    ['// biome-ignore lint: because', 'silenced'],
    ['// TODO later', 'nothing is left to do'],
    ["export * from './b.ts'", 'no barrels'],
    ["jest.mock('./b.ts')", 'not mocked'],
    ["it.only('works', f)", 'skipped or run alone'],
    ["describe.skip('works', f)", 'skipped or run alone'],
    ['const a = 1\nb.catch(() => undefined)', 'an ignored rejection'],
    ['const a = 1\nb.catch(() => {})', 'an ignored rejection'],
    ["read('../shared/data')", 'nothing outside'],
  ])('refuses %j', (text, reason) => {
    expect(problems(`${text}\n`)).toEqual([expect.stringContaining(reason)])
  })

  it('gives the line', () => {
    expect(problems('const a = 1\n\nconst b = a as any\n')).toEqual(['gateway/a.ts:3: no any'])
  })

  it('refuses long files and files that only pass on others', () => {
    expect(problems('a\n'.repeat(400))).toEqual([])
    expect(problems('a\n'.repeat(401))).toEqual(['gateway/a.ts: 401 lines, of at most 400'])
    expect(problems('', 'gateway/index.ts')).toEqual(['gateway/index.ts: no barrels'])
  })

  it.each([
    ['expect.any(Number)', 'gateway/a.test.ts'],
    ['/** Any of them: anything, for any reason. */', 'gateway/a.ts'],
    ['const a = process.env', 'runtime/config.ts'],
    ['const a = process.env', 'test/support/a.ts'],
    ['// It has been closed by then.\na.catch(() => undefined)', 'gateway/a.ts'],
    ['a.catch(() => null)', 'gateway/a.ts'],
  ])('allows %j in %s', (text, path) => {
    expect(problems(`${text}\n`, path)).toEqual([])
  })
})

describe('scriptsNamedIn', () => {
  it('finds them in code, and not what npm itself has', () => {
    const text =
      'Run `npm start -- --once` (what npm does) or\n\n    npm install && npm test\n    $ npm run train:baseline\n'
    expect(scriptsNamedIn(text)).toEqual(['start', 'test', 'train:baseline'])
  })
})

describe('scriptsForPeople', () => {
  it('leaves out what npm runs around others', () => {
    expect(scriptsForPeople({ start: '', prestart: '', postinstall: '', check: '', pretty: '' })).toEqual([
      'start',
      'check',
      'pretty',
    ])
  })
})
