import { describe, expect, it } from '@jest/globals'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { createChangelog } from '../../test/support/changelog.ts'
import { recordsOf, taskOf, threatsOf } from '../../test/support/scoring-stage.ts'
import { type ModelsAtWork, oneModel } from './models-at-work.ts'

describe('the model in force', () => {
  const modelled = (version: string, sequence: number) => ({
    models: oneModel(createMemoryDetector({ manifest: { version, sequence } })),
  })
  const afterOne = async (version: string, sequence: number) => {
    const changelog = createChangelog()
    changelog.append((await taskOf(modelled(version, sequence)).process(recordsOf([{}]))).changes)
    return changelog.records()
  }

  it('is written with the first batch, once', async () => {
    const task = taskOf(modelled('m', 4))
    const first = await task.process(recordsOf([{}]))
    expect(first.changes[0]?.key).toBe('partition:model/4')
    expect(JSON.parse(String(first.changes[0]?.value))).toMatchObject({
      model: { version: 'm', sequence: 4, since: 0 },
    })
    first.committed()
    expect((await task.process(recordsOf([{}]))).changes.map(each => each.key)).toEqual(['ip:203.0.113.9'])
  })

  it('is written again by a newer one, not by the same', async () => {
    const log = await afterOne('m', 4)
    const keys = async (version: string, sequence: number) => {
      const task = taskOf(modelled(version, sequence))
      await task.restore(log)
      return (await task.process(recordsOf([{}]))).changes.map(each => each.key)
    }
    expect(await keys('m', 4)).not.toContain('partition:model/4')
    expect(await keys('n', 5)).toContain('partition:model/5')
  })

  it('changes between two batches, from which on its name is on every threat', async () => {
    const detectors = ['m', 'n'].map((version, i) =>
      createMemoryDetector({ manifest: { version, sequence: 4 + i } }),
    )
    const asked: number[] = []
    const models: ModelsAtWork = {
      use: async ({ offset }, work) => {
        asked.push(offset)
        const [older, newer] = detectors
        const detector = offset < 2 ? older : newer
        if (detector === undefined) throw new Error('no detector')
        return work({ detector, sequence: detector.manifest.sequence })
      },
      reach: async () => undefined,
    }
    const task = taskOf({ models })
    const records = recordsOf([{}, {}, {}, {}])
    const changelog = createChangelog()
    const versions: string[] = []
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 4],
    ]) {
      const { outputs, changes, committed } = await task.process(records.slice(from, to))
      committed()
      changelog.append(changes)
      versions.push(...threatsOf(outputs).map(each => each.modelVersion))
    }
    expect(asked).toEqual([0, 2, 3])
    expect(versions).toEqual(['m', 'm', 'n', 'n'])
    const noted = changelog.state().flatMap(([, value]) => JSON.parse(String(value)).model ?? [])
    expect(noted).toEqual([
      { version: 'm', sequence: 4, since: 0 },
      { version: 'n', sequence: 5, since: 2 },
    ])
    await expect(taskOf(modelled('m', 4)).restore(changelog.records())).rejects.toMatchObject({
      code: 'NS_MODEL_OLDER',
    })
  })

  it('is read from a changelog of before switches were noted one by one', async () => {
    const value = Buffer.from(
      JSON.stringify({ id: 'partition:model', behaviour: null, model: { version: 'm', sequence: 4 } }),
    )
    const changelog = createChangelog()
    changelog.append([{ key: 'partition:model', value }])
    await expect(taskOf(modelled('l', 3)).restore(changelog.records())).rejects.toMatchObject({
      code: 'NS_MODEL_OLDER',
    })
  })

  it('cannot be an older one, nor another one of the same place', async () => {
    const log = await afterOne('m', 4)
    await expect(taskOf(modelled('l', 3)).restore(log)).rejects.toMatchObject({ code: 'NS_MODEL_OLDER' })
    await expect(taskOf(modelled('other', 4)).restore(log)).rejects.toMatchObject({
      code: 'NS_MODEL_REFUSED',
    })
  })
})
