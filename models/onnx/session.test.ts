import { afterEach, describe, expect, it } from '@jest/globals'
import { trainEnsemble } from '../trainers/ensemble.ts'
import { encodeEnsemble, INPUT, OUTPUTS } from './ensemble-graph.ts'
import { createSession, type Session, type SessionOptions } from './session.ts'

const data = { values: Float32Array.from({ length: 64 }, (_, i) => i % 13), rows: 32, features: 2 }
const onnx = encodeEnsemble(trainEnsemble(data, { seed: 1 }))

/** A worker's source, given as text. */
const script = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`)

const crashing = script(`
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', () => { throw new Error('out of luck') })
  parentPort.postMessage({ type: 'ready' })
`)

describe('a session', () => {
  const open: Session[] = []
  const session = async (more: Partial<SessionOptions> = {}) => {
    const made = await createSession({
      onnx,
      input: INPUT,
      outputs: OUTPUTS,
      features: 2,
      models: 3,
      explainFrom: 1,
      ...more,
    })
    open.push(made)
    return made
  }
  afterEach(async () => {
    await Promise.all(open.splice(0).map(each => each.close()))
  })

  it('scores each row and takes the buffer over', async () => {
    const values = Float32Array.from(data.values)
    const { scores, models, contributions } = await (await session()).run(values)
    expect([scores.length, models.length, contributions.length]).toEqual([32, 96, 0])
    expect(values).toHaveLength(0)
  })

  it('hands out the contributions of the rows that score high enough, in order', async () => {
    const { scores, contributions: all } = await (await session({ explainFrom: 0 })).run(
      Float32Array.from(data.values),
    )
    const explainFrom = scores.toSorted()[25] ?? 0
    const { contributions } = await (await session({ explainFrom })).run(Float32Array.from(data.values))
    const expected = [...scores.keys()]
      .filter(row => (scores[row] ?? 0) >= explainFrom)
      .flatMap(row => [...all.subarray(row * 2, row * 2 + 2)])
    expect(expected.length).toBeGreaterThan(0)
    expect(expected.length).toBeLessThan(64)
    expect([...contributions]).toEqual(expected)
  })

  it('says the same of a row whether calls that wait are taken together or one comes after the other', async () => {
    const made = await session({ explainFrom: 0.5, batchRows: 4 })
    // What comes while the first is scored waits; the longest alone is more than is taken together.
    const calls = [1, 3, 0, 600, 7, 32, 2, 5].map(rows =>
      Float32Array.from({ length: rows * 2 }, (_, i) => ((i + rows) * 7) % 29),
    )
    const apart = []
    for (const values of calls) apart.push(await made.run(Float32Array.from(values)))
    const together = await Promise.all(calls.map(values => made.run(Float32Array.from(values))))
    expect(together).toEqual(apart)
    const explained = apart.filter(({ explained }) => explained.length > 0)
    expect(explained.length).toBeGreaterThan(2)
  })

  it('rejects a call whose rows do not fit, and goes on serving', async () => {
    const made = await session()
    await expect(made.run(new Float32Array(3))).rejects.toMatchObject({ code: 'NS_SCORING_FAILED' })
    expect((await made.run(new Float32Array(4))).scores).toHaveLength(2)
  })

  it('finishes the calls in flight before it closes', async () => {
    const made = await session()
    const scored = made.run(new Float32Array(20_000))
    await made.close()
    expect((await scored).scores).toHaveLength(10_000)
  })

  it('rejects calls in flight and later ones when its worker crashes', async () => {
    const made = await session({ worker: crashing })
    const reason = { code: 'NS_SCORING_FAILED', message: expect.stringContaining('out of luck') }
    await expect(made.run(new Float32Array(2))).rejects.toMatchObject(reason)
    await expect(made.run(new Float32Array(2))).rejects.toMatchObject(reason)
  })

  it('rejects calls in flight when its worker exits', async () => {
    const exiting = script(`
      import { parentPort } from 'node:worker_threads'
      parentPort.on('message', () => process.exit(3))
      parentPort.postMessage({ type: 'ready' })
    `)
    const made = await session({ worker: exiting })
    await expect(made.run(new Float32Array(2))).rejects.toMatchObject({
      message: expect.stringContaining('code 3'),
    })
  })

  it('is refused when its worker does not come up', async () => {
    await expect(session({ worker: script('throw new Error("no luck")') })).rejects.toMatchObject({
      code: 'NS_MODEL_REFUSED',
      message: expect.stringContaining('no luck'),
    })
  })
})
