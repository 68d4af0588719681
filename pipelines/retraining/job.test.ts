import { describe, expect, it } from '@jest/globals'
import type { SoloJob } from '../../connectors/solo-queue.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Observed } from '../scoring/observed.ts'
import { retrainingConfig } from './config.ts'
import { type Made, type RetrainingDeps, retrainOnce } from './job.ts'

const { manifest, onnx } = loadBaseline()
const none = { truePositives: 0, falsePositives: 0 }
const made: Made = {
  version: 'new',
  champion: 'old',
  budget: 200,
  judged: { verdicts: none, champion: none, challenger: none },
  refusal: undefined,
}
const pairs = Array.from({ length: 500 }, (_, i): [number, number] => [i / 500, i / 500])
const usual: Observed = {
  champion: 'old',
  challenger: 'new',
  events: 3_000,
  championAlerts: 15,
  challengerAlerts: 16,
  championScores: new Array(10).fill(300),
  challengerScores: new Array(10).fill(300),
  pairs,
  problem: null,
}

/** Retrains against a registry and a store in memory. Time passes by a second each time that it is asked for. */
const retrainWith = async (given: {
  data?: unknown
  made?: Made | { tooLittle: string }
  live?: Partial<Observed>
  champion?: Partial<Observed>
  inForce?: string
}) => {
  const done: string[] = []
  const saved: unknown[] = []
  let champion = given.inForce ?? 'old'
  let challenger: string | undefined
  let time = 1_000
  const pointer = (version: string | undefined) => version && { version }
  const registry = {
    list: async () => ({ pointer: () => pointer(challenger) }),
    read: async () => ({ manifest, onnx }),
    point: async (role: string, version: string) => {
      if (role === 'champion') champion = version
      challenger = role === 'champion' ? undefined : version
      done.push(`${role} ${version}`)
    },
    rollback: async () => {
      champion = 'old'
      done.push('rollback')
    },
    withdraw: async () => {
      challenger = undefined
      done.push('withdraw')
    },
  } as unknown as RetrainingDeps['registry']
  const job: SoloJob<unknown> = {
    id: '1',
    data: given.data ?? { trigger: 'a test' },
    added: 0,
    progress: () => undefined,
    save: async data => void saved.push(data),
  }
  const result = await retrainOnce(job, new AbortController().signal, {
    config: loadConfig({ retraining: retrainingConfig }, { RETRAIN_GUARD_MS: '5000' }).retraining,
    registry,
    store: {
      read: async (_, tried) =>
        tried === null ? { ...usual, challenger: null, ...given.champion } : { ...usual, ...given.live },
    },
    make: async () => {
      done.push('make')
      return given.made ?? made
    },
    inForce: async () => champion,
    log: silentLog(),
    now: () => {
      time += 1_000
      return time
    },
    pollMs: 1,
  })
  return { result, done, saved }
}

describe('a retraining', () => {
  it('makes a challenger, tries it, promotes it and lets it stay, saving what it has done', async () => {
    const { result, done, saved } = await retrainWith({})
    expect(result).toMatchObject({ outcome: 'promoted', version: 'new' })
    expect(done).toEqual(['make', 'challenger new', 'champion new'])
    expect(saved).toEqual([
      { trigger: 'a test', trained: expect.objectContaining({ version: 'new' }) },
      expect.objectContaining({ promoted: expect.objectContaining({ expected: 16 / 3_000 }) }),
    ])
  })

  it('goes on where the worker before it died', async () => {
    const { saved } = await retrainWith({})
    const [afterTraining, afterPromotion] = saved
    expect((await retrainWith({ data: afterTraining })).done).toEqual(['champion new'])
    const last = await retrainWith({ data: afterPromotion, inForce: 'new' })
    expect(last.done).toEqual([])
    expect(last.result).toMatchObject({ outcome: 'promoted' })
  })

  it.each<[string, Parameters<typeof retrainWith>[0], string, string[]]>([
    [
      'there is too little to learn from',
      { made: { tooLittle: 'nothing there' } },
      'nothing there',
      ['make'],
    ],
    [
      'held-out events speak against it',
      { made: { ...made, refusal: 'no' } },
      'held-out events: no',
      ['make'],
    ],
    [
      'live events do',
      { live: { challengerAlerts: 900 } },
      'alert-rate',
      ['make', 'challenger new', 'withdraw'],
    ],
    [
      'it cannot score them',
      { live: { problem: 'NaN' } },
      'failed on live events: NaN',
      ['make', 'challenger new', 'withdraw'],
    ],
    [
      'another champion came into force meanwhile',
      { inForce: 'third' },
      'third is in force now',
      ['make', 'challenger new', 'withdraw'],
    ],
  ])('rejects a challenger with the reason when %s', async (_, given, reason, steps) => {
    const { result, done } = await retrainWith(given)
    expect(result).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(reason) })
    expect(done).toEqual(steps)
  })

  it.each<[string, Partial<Observed>, string]>([
    ['reports many times more', { championAlerts: 900 }, 'it reports 30.00 %'],
    ['scores otherwise', { championScores: [3_000, 0, 0, 0, 0, 0, 0, 0, 0, 0] }, 'stability index'],
  ])('rolls a new champion back that %s', async (_, champion, reason) => {
    const { result, done } = await retrainWith({ champion })
    expect(result).toMatchObject({ outcome: 'rolled-back', reason: expect.stringContaining(reason) })
    expect(done.at(-1)).toBe('rollback')
  })
})
