import { describe, expect, it } from '@jest/globals'
import type { OutputRecord } from '../../connectors/kafka/stage.ts'
import { createSequences, sequenceProblems } from './tally.ts'

const record = (value: string): OutputRecord => ({
  topic: 't',
  key: null,
  value: Buffer.from(value),
  timestamp: 0,
})

const problems = (expected: string, found: string): string[] => {
  const [wanted, got] = [createSequences(), createSequences()]
  for (const value of expected) wanted.add(record(value), 3)
  for (const value of found) got.add(record(value), 3)
  return sequenceProblems(wanted, got)
}

describe('what is wrong with the records of a partition', () => {
  it.each([
    ['abcd', 'abcd', []],
    ['abcd', 'cd', ['t-3: 2 records, 4 expected, lost, of those expected: 0, 1']],
    ['abcd', 'abccd', ['t-3: 5 records, 4 expected, too many, of those there: 3']],
    ['abcd', 'abdc', ['t-3: 4 records, 4 expected, different from: 2']],
    ['abcd', '', ['t-3: 0 records, 4 expected, lost, of those expected: 0, 1, 2, 3']],
  ])('%s expected, %s found', (expected, found, wanted) => {
    expect(problems(expected, found)).toEqual(wanted)
  })
})
