import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import type { Evaluation } from '../../models/evaluation/evaluate.ts'
import { createRandom } from '../../models/trainers/random.ts'
import type { CommandContext } from '../../runtime/command.ts'
import { tempDir } from '../../test/support/temp.ts'
import { evaluate } from './evaluate-command.ts'

const HEADER = 'duration,service,ratio,label,note'

/** Rows whose service decides their duration; an anomaly has the duration of another service, or a service of its own. */
const lines = (count: number, seed: number, anomalies: number): string[] => {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const odd = i % Math.round(count / anomalies) === 0
    const service = random.below(2)
    const long = odd !== (service === 1)
    const duration = (long ? 500 : 5) * (1 + random.next())
    const name = odd && i % 2 === 0 ? 'telnet' : ['dns', 'ftp'][service]
    return [duration.toFixed(3), name, random.next().toFixed(3), odd ? 'attack' : 'normal', `n${i}`].join(',')
  })
}

const run = async (options: CommandContext<object>['options']) => {
  const printed: string[] = []
  const context = {
    options,
    print: (line: string) => printed.push(line),
  } as unknown as CommandContext<object>
  expect(await evaluate.run(context)).toBe(0)
  expect(printed).toHaveLength(1)
  return JSON.parse(printed[0] ?? '') as Evaluation & { seconds: number }
}

describe('netsentinel evaluate', () => {
  const dir = tempDir()
  const path = (name: string, bytes: string | Uint8Array) => {
    writeFileSync(join(dir, name), bytes)
    return join(dir, name)
  }
  const train = path('train.csv', `${[HEADER, ...lines(1500, 1, 100)].join('\n')}\n`)
  const test = path('test.csv.gz', gzipSync(`${[HEADER, ...lines(600, 2, 60)].join('\r\n')}\r\n`))
  const given = { train, test, label: 'label', drop: 'note' }

  it('prints how anomalies rank, of the ensemble and of each model', async () => {
    const result = await run(given)
    expect(result.auroc).toBeGreaterThan(0.95)
    expect(result.auprc).toBeGreaterThan(0.8)
    expect(Object.keys(result.models)).toEqual(['isolationForest', 'ecod', 'whitening'])
    for (const { auroc } of Object.values(result.models)) expect(auroc).toBeGreaterThan(0.5)
    expect(result).toMatchObject({ rows: { train: 1400, test: 600, anomalies: 60 }, features: 5 })
    expect(result.seconds).toBeGreaterThan(0)
  })

  it('trains on all rows when they are contaminated, and gives the same figures each time', async () => {
    const [one, two] = [
      await run({ ...given, contaminated: true }),
      await run({ ...given, contaminated: true }),
    ]
    expect(one).toMatchObject({ rows: { train: 1500 } })
    expect({ ...two, seconds: 0 }).toEqual({ ...one, seconds: 0 })
  })

  it('takes names of columns from a file, and calls those behind them by their place', async () => {
    const bare = (name: string, rows: string[]) => path(name, rows.join('\n'))
    const tables = {
      train: bare('bare-train.csv', lines(400, 1, 20)),
      test: bare('bare-test.csv', lines(200, 2, 20)),
    }
    const columns = path('names.txt', 'duration: continuous.\nservice,symbolic\nratio\nkind\n')
    const result = await run({ ...tables, columns, label: 'kind', normal: 'normal', drop: 'column5' })
    expect(result).toMatchObject({ rows: { train: 380, anomalies: 20 }, features: 5 })
    const oneLine = path('names.csv', 'duration,service,ratio,kind,note')
    const same = await run({ ...tables, columns: oneLine, label: 'kind', drop: 'note' })
    expect(same.auroc).toBe(result.auroc)
  })

  it('reads what spreadsheets and other tools write: quotes, a field of two lines, a byte-order mark', async () => {
    const awkward = (name: string, rows: readonly string[]) => {
      const quoted = rows.map(row => row.replace(/n(\d+)$/, '"a ""note"",\nof two lines, ⚡ $1"'))
      return path(name, `\uFEFF${[HEADER, ...quoted].join('\r\n')}\r\n`)
    }
    const tables = {
      train: awkward('quoted.csv', lines(1500, 1, 100)),
      test: awkward('quoted-test.csv', lines(600, 2, 60)),
    }
    const [plain, quoted] = [await run(given), await run({ ...given, ...tables })]
    expect({ ...quoted, seconds: 0 }).toEqual({ ...plain, seconds: 0 })
  })

  it.each([
    ['a missing option', { train, label: 'label' }, /--test is missing/],
    ['a label that is no column', { ...given, label: 'kind' }, /no column kind; it has duration/],
    ['a file that is not there', { ...given, test: 'nowhere.csv' }, /no file nowhere\.csv/],
    ['a normal value that no row has', { ...given, normal: 'fine' }, /none has the label fine/],
    [
      'a quote that is never closed',
      { ...given, train: path('open.csv', `${HEADER}\n1,2,3,normal,"4\n1,2,3,normal,5\n`) },
      /a quote is not closed/,
    ],
    ['a file without rows', { ...given, train: path('empty.csv', `${HEADER}\n`) }, /no rows/],
    [
      'a row that is too short',
      { ...given, train: path('short.csv', `${HEADER}\n1,2\n`) },
      /2 fields, not 5|no column/,
    ],
  ])('refuses %s', async (_, options, reason) => {
    await expect(run(options)).rejects.toThrow(reason)
  })
})
