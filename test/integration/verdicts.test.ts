import { describe, expect, it } from '@jest/globals'
import { createRegistry } from '../../connectors/registry.ts'
import { makeDecision } from '../../pipelines/alerting/make-decision.ts'
import { precisionLines, readVerdicts } from '../../pipelines/retraining/verdicts.ts'
import { makeScoringSystem } from '../support/scoring.ts'
import { makeAlert, makeThreat } from '../support/threats.ts'

describe('verdicts of analysts', () => {
  it('are those of alerts, the latest of each, handed to their events and to the versions that made them', async () => {
    const { config, kafka, topics, codecs, producer } = await makeScoringSystem()
    const registry = createRegistry(config.registry)
    const decision = await registry.codec('Decision', topics.decisions.name)
    const alert = await registry.codec('Alert', topics.alerts.name)
    const deps = {
      kafka,
      topics: { decisions: topics.decisions.name, alerts: topics.alerts.name, threats: topics.threats.name },
      codecs: { decision, alert, threat: codecs.threat },
    }
    expect((await readVerdicts(deps)).events.size).toBe(0)

    const timestamp = Date.now()
    const decide = (about: string, verdict: string, at: number) => {
      const typed = { kind: 'verdict', about, options: { verdict } }
      const made = makeDecision(typed, `${about}-${at}`, 'ann', at)
      return { key: made.id, value: made.decision && decision.encode(made.decision), timestamp }
    }
    const threat = (id: string, modelVersion: string, day: string) => ({
      key: id,
      value: codecs.threat.encode(makeThreat({ id, modelVersion, time: Date.parse(day) })),
      timestamp,
    })
    await producer.send(topics.decisions.name, [
      decide('a', 'false_positive', 1_000),
      decide('a', 'true_positive', 2_000),
      decide('b', 'false_positive', 3_000),
      decide('b', 'true_positive', 4_000),
      { key: 'b-4000', value: null, timestamp },
      { key: 'junk', value: Buffer.from('junk'), timestamp },
    ])
    const alerts = [
      makeAlert({ id: 'a', threatIds: ['t1', 't2'] }),
      makeAlert({ id: 'b', threatIds: ['t2', 't3'] }),
      makeAlert({ id: 'c', threatIds: ['t4'] }),
    ]
    await producer.send(
      topics.alerts.name,
      alerts.map(each => ({ key: each.id, value: alert.encode(each), timestamp })),
    )
    await producer.send(topics.threats.name, [
      threat('t1', 'v1', '2026-11-22'),
      threat('t2', 'v1', '2026-11-23'),
      threat('t3', 'v2', '2026-11-29'),
      threat('t4', 'v2', '2026-11-29'),
    ])

    const { events, byVersion } = await readVerdicts(deps)
    expect(Object.fromEntries(events)).toEqual({
      t1: 'true_positive',
      t2: 'false_positive',
      t3: 'false_positive',
    })
    expect(Object.fromEntries(byVersion)).toEqual({
      v1: {
        truePositives: 1,
        falsePositives: 1,
        weeks: new Map([
          ['2026-11-16', { truePositives: 1, falsePositives: 0 }],
          ['2026-11-23', { truePositives: 0, falsePositives: 1 }],
        ]),
      },
      v2: {
        truePositives: 0,
        falsePositives: 1,
        weeks: new Map([['2026-11-23', { truePositives: 0, falsePositives: 1 }]]),
      },
    })
    const [v1] = [...byVersion]
    expect(v1 && precisionLines(...v1)).toEqual([
      '- v1: 1 of 2 threats with a verdict were real (50.0 %)',
      '  - week of 2026-11-16: 1 of 1 threats with a verdict were real (100.0 %)',
      '  - week of 2026-11-23: 0 of 1 threats with a verdict were real (0.0 %)',
    ])
  })
})
