import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { checkBudgets } from './budget.ts'
import { compare } from './compare.ts'
import { compareForests } from './forests.ts'
import { installPeers } from './python.ts'
import { accuracyTable, budgetTable, forestTable, type SetResults } from './report.ts'
import { SETS } from './sets.ts'

/**
 * `npm run bench -- accuracy FOLDER`: how well the default models rank the anomalies of public sets, beside scikit-learn's and
 * PyOD's detectors in the same run; whether budgets of false alerts are kept; and what our export of a forest gains over
 * skl2onnx. FOLDER holds the sets as sets.ts names them. Tables go to standard output and, with --write, into the page of
 * evaluation.
 */
const { positionals, values } = parseArgs({
  args: process.argv.slice(2).filter((arg, i) => i > 0 || arg !== 'accuracy'),
  allowPositionals: true,
  options: { only: { type: 'string' }, write: { type: 'boolean' } },
})
const PARTS = ['sets', 'budget', 'forest']
const only = values.only?.split(',') ?? []
const isWanted = (...names: readonly string[]): boolean =>
  only.length === 0 || names.some(name => only.includes(name))

const PAGE = new URL('../../docs/evaluation.md', import.meta.url)

const publish = (part: string, table: string): void => {
  process.stdout.write(`\n${table}\n`)
  if (values.write !== true) return
  const [begin, end] = [`<!-- ${part} -->`, `<!-- end of ${part} -->`]
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new TypeError(`the page has no place for ${part}`)
  writeFileSync(PAGE, `${page.slice(0, from + begin.length)}\n\n${table}\n\n${page.slice(to)}`)
}

const [folder] = positionals
if (folder === undefined || only.some(name => ![...PARTS, ...SETS.map(set => set.name)].includes(name))) {
  process.stderr.write(
    `bench accuracy FOLDER [--write] [--only ${[...PARTS, ...SETS.map(set => set.name)].join(',')}]\n`,
  )
  process.exit(2)
}
await installPeers()
if (isWanted('forest')) publish('forest', forestTable(await compareForests()))
if (isWanted('budget')) {
  const { rows, runs } = await checkBudgets(folder)
  publish('budget', `${rows} rows set aside:\n\n${budgetTable(runs)}`)
}
const sets: SetResults[] = []
for (const { name, what, load } of SETS) {
  if (!isWanted('sets', name)) continue
  process.stderr.write(`${name}\n`)
  sets.push({ name, what, results: await compare(await load(folder)) })
}
if (sets.length > 0) publish('accuracy', accuracyTable(sets))
