import { describe, expect, it } from '@jest/globals'
import type { InputRecord } from '../../connectors/kafka/stage.ts'
import { createMemoryDetector } from '../../models/memory-detector.ts'
import { replaySwitches, type Switches } from './switches.ts'

const switches: Switches = new Map([
  [
    0,
    [
      { version: 'a', sequence: 1, since: null },
      { version: 'b', sequence: 3, since: 5 },
      { version: 'a', sequence: 4, since: 7 },
    ],
  ],
])

const replay = () => {
  const opened: string[] = []
  const models = replaySwitches({
    switches,
    open: async version => {
      opened.push(version)
      if (version === 'b') throw new Error('b is gone')
      return createMemoryDetector({ manifest: { version } })
    },
    fallback: 'shipped',
  })
  const versionAt = (partition: number, offset: number) =>
    models.use({ partition, offset }, async ({ detector, sequence }) => [detector.manifest.version, sequence])
  return { models, opened, versionAt }
}

const record = (offset: number): InputRecord => ({
  topic: 'events',
  partition: 0,
  offset,
  timestamp: 0,
  key: null,
  value: null,
  headers: {},
})

describe('the models that were in force', () => {
  it('judge the events from where each came into force', async () => {
    const { models, versionAt, opened } = replay()
    expect(await versionAt(0, 0)).toEqual(['a', 1])
    expect(await versionAt(0, 4)).toEqual(['a', 1])
    await expect(versionAt(0, 5)).rejects.toThrow('b is gone')
    expect(await versionAt(0, 900)).toEqual(['a', 4])
    expect(await versionAt(1, 3)).toEqual(['shipped', 1])
    expect(opened).toEqual(['a', 'b', 'shipped'])
    await models.close()
  })

  it('cut the records where another came into force', () => {
    const offsets = (pieces: readonly (readonly InputRecord[])[]) =>
      pieces.map(piece => piece.map(({ offset }) => offset))
    const { models } = replay()
    expect(offsets(models.cut([2, 4, 6, 7, 9].map(record)))).toEqual([[2, 4], [6], [7, 9]])
    expect(offsets(models.cut([8, 9].map(record)))).toEqual([[8, 9]])
    expect(models.cut([])).toEqual([])
  })
})
