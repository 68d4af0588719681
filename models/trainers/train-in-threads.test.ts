import { describe, expect, it } from '@jest/globals'
import { FEATURE_COUNT } from '../features/features.ts'
import { createRandom } from './random.ts'
import { trainOnRows } from './train.ts'
import { trainInThreads } from './train-in-threads.ts'

const random = createRandom(7)
const rowsOf = (rows: number) => ({
  values: Float32Array.from({ length: rows * FEATURE_COUNT }, () => random.next() ** 3),
  rows,
  features: FEATURE_COUNT,
})
const data = rowsOf(400)
const options = { version: 'v', sequence: 1, seed: 5, contaminated: true, autoencoder: true }

describe('training in threads', () => {
  it.each([1, 2, 3])(
    'makes the same model to the byte with %d of them, and tells how far it is',
    async threads => {
      const done: number[] = []
      const phases: string[] = []
      const model = await trainInThreads(data, {
        ...options,
        threads,
        onProgress: progress => {
          done.push(progress.done)
          phases.push(progress.phase)
        },
      })
      const here = trainOnRows(data, options)
      expect(model.manifest).toEqual(here.manifest)
      expect(Buffer.from(model.onnx).equals(Buffer.from(here.onnx))).toBe(true)
      expect(phases).toEqual(['fit', 'trim', 'refit', 'calibrate', 'export'])
      expect(done).toEqual(done.toSorted((a, b) => a - b))
    },
  )

  it('ends when it is told to, with the reason', async () => {
    const stop = new AbortController()
    const training = trainInThreads(rowsOf(20_000), {
      ...options,
      threads: 2,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(training).rejects.toThrow('enough')
    await expect(trainInThreads(data, { ...options, threads: 1, signal: stop.signal })).rejects.toThrow(
      'enough',
    )
  })

  it('refuses too few rows, as training in one thread does', async () => {
    await expect(trainInThreads(rowsOf(3), { ...options, threads: 2 })).rejects.toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: 'a model needs 4 rows or more, not 3',
    })
  })
})
