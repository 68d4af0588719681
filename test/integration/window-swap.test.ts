import { describe, expect, it } from '@jest/globals'
import { loadBaseline } from '../../models/baseline/load.ts'
import { startScoring } from '../../pipelines/scoring/command.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { NO_ORIGIN } from '../support/models.ts'
import { importPadim } from '../support/padim.ts'
import { runCli, until } from '../support/services.ts'
import { cleanUp, readAll } from '../support/stages.ts'
import { makeWorld, runsOf, scored, versionsOf } from '../support/swaps.ts'

const SHIPPED = loadBaseline().manifest.version
/** A model of Anomalib that judges an entity from its third event on. */
const padim = importPadim({ low: -1, high: 8, from: 3 })

type World = Awaited<ReturnType<typeof makeWorld>>

/** The scores of each entity's threats by this version, in order; each run of them by itself. */
const runsOfScores = async ({ system: { kafka, topics, codecs } }: World, version: string) => {
  const runs = new Map<string, { last: string; scores: number[][] }>()
  for (const { value } of await readAll(kafka, topics.threats.name)) {
    const { entity, modelVersion, score } = await codecs.threat.decode(value ?? Buffer.alloc(0))
    const run = runs.get(entity) ?? { last: '', scores: [] }
    runs.set(entity, run)
    if (modelVersion === version && run.last !== version) run.scores.push([])
    if (modelVersion === version) run.scores.at(-1)?.push(score)
    run.last = modelVersion
  }
  return [...runs.values()].flatMap(({ scores }) => scores)
}

describe('a model of windows that comes into force while events flow', () => {
  it('begins with empty windows, loses and doubles nothing, and can be scored again', async () => {
    const world = await makeWorld()
    const { system, config, registry, env, produce, produced } = world
    /** Produces until the latest threats of both partitions are by this version, and some more. */
    const flowUntil = async (version: string) => {
      await until(
        async () => {
          await produce(40)
          await scored(system)
          return (await versionsOf(system)).every(each => each.at(-1) === version)
        },
        { what: `threats by ${version}`, timeoutMs: 60_000 },
      )
      await produce(60)
      await scored(system)
    }
    const scorer = await startScoring({ config, log: silentLog(), metrics: createMetrics() })
    cleanUp(() => scorer.close())
    await registry.publish(padim, NO_ORIGIN)
    await flowUntil(SHIPPED)
    for (const version of ['padim-1', SHIPPED, 'padim-1']) {
      await registry.point('champion', version, 'a test')
      await flowUntil(version)
    }
    const versions = await versionsOf(system)
    expect(versions.map(runsOf)).toEqual([0, 1].map(() => [SHIPPED, 'padim-1', SHIPPED, 'padim-1']))
    expect(versions.flat()).toHaveLength(produced())
    const runs = await runsOfScores(world, 'padim-1')
    expect(runs).toHaveLength(2 * 20)
    // An entity scores 0 until it has three events since the model came into force, each time anew.
    for (const scores of runs) expect(scores.findIndex(score => score > 0)).toBe(2)

    const again = runCli(['score', '--into', 'again'], env)
    expect(await again.exited).toMatchObject({ code: 0 })
    expect(await runCli(['diff', 'threats', 'again'], env).exited).toMatchObject({ code: 0 })
  }, 240_000)
})
