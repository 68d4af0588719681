import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { Analysis, Detector, Observation } from '../../models/detector.ts'
import { observe } from '../../models/features/observe.ts'
import { isUsual } from '../../models/features/usual.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { correlate } from '../../models/rules/correlate.ts'
import { loadRules } from '../../models/rules/load.ts'
import type { Event } from '../../schemas/generated.ts'
import { type Attack, beaconing, bruteForce, passwordSpray, portScan } from '../../test/support/attacks.ts'
import { createGroups } from '../../test/support/groups.ts'
import { makeThreat } from '../../test/support/threats.ts'
import { captureEvents } from './baseline.ts'

const START = Date.UTC(2026, 10, 23, 22)
const ARRIVAL = Date.UTC(2026, 10, 24)

const normalise = createNormalise({ assumeTimeZone: 'UTC', secretsMode: 'drop' })
const rules = loadRules()

const eventsOf = ({ lines }: Attack): Event[] =>
  lines.flatMap((line, offset) =>
    normalise(line, { topic: 'injected', partition: 0, offset, timestamp: ARRIVAL }),
  )

/** An attack, from which of its events on each is above the background, and what may be said of it. */
type Case = readonly [name: string, make: typeof bruteForce, from: number, behaviour: RegExp]

const CASES: readonly Case[] = [
  ['a brute force', bruteForce, 6, /^(failed_logins|failures)_/],
  ['a password spray', passwordSpray, 6, /^(failed_logins|new_users)_/],
  ['a port scan', portScan, 6, /^(new_ports|failures)_/],
  ['beaconing', beaconing, 6, /^regular_calls$/],
]

describe('an attack among the events of the capture', () => {
  let detector: Detector
  let capture: Event[]

  beforeAll(async () => {
    const baseline = loadBaseline()
    detector = await createOnnxDetector({ ...baseline, explainFrom: 0 })
    capture = await captureEvents()
  })
  afterAll(() => detector.close())

  /** The events of the capture with those of the attack somewhere among them, and what the model says of them. */
  const inject = async (attack: Attack, at: number) => {
    const events = eventsOf(attack)
    const observations = observe([...capture.slice(0, at), ...events, ...capture.slice(at)])
    const analyses = await detector.analyze(observations)
    const judged = observations.map(({ event, before }, i) => ({
      event,
      before,
      ...(analyses[i] as Analysis),
    }))
    type Judged = Observation<Event> & Analysis
    const isAttack = ({ event }: Judged) => event.entity === attack.entity
    const isBackground = (each: Judged) => each.event.source === 'zeek' && isUsual(each) && !isAttack(each)
    return {
      attack: judged.filter(isAttack),
      background: judged.filter(isBackground).map(({ score }) => score),
    }
  }

  it.each(CASES)(
    '%s ranks above the background, and is told by its behaviour',
    async (_, make, from, behaviour) => {
      const { attack, background } = await inject(make('203.0.113.77', START), 2500)
      const oneInAHundred = background.toSorted((a, b) => b - a)[Math.floor(background.length / 100)] ?? 1
      expect(background.length).toBeGreaterThan(3000)
      for (const { score } of attack.slice(from)) expect(score).toBeGreaterThan(oneInAHundred)
      for (const { contributions } of attack.slice(from))
        expect(contributions.slice(0, 3).map(each => each.feature)).toContainEqual(
          expect.stringMatching(behaviour),
        )
    },
  )

  it.each(CASES)('%s becomes the alert that is for it', async (_, make) => {
    const made = make('203.0.113.77', START)
    const { attack } = await inject(made, 2500)
    const groups = createGroups()
    const fired = attack
      .filter(({ score }) => score >= detector.manifest.threshold)
      .flatMap(({ event, score, severity }) =>
        correlate(rules, makeThreat({ event, score, severity }), groups).map(({ rule }) => rule.id),
      )
    expect(fired).toContain(made.rule)
  })

  it('scores the same wherever and from whichever address it comes', async () => {
    const [, make] = CASES[0] as Case
    const alone = await detector.analyze(observe(eventsOf(make('203.0.113.77', START))))
    await fc.assert(
      fc.asyncProperty(fc.ipV4(), fc.nat(1_000_000_000), async (ip, later) => {
        const moved = await detector.analyze(observe(eventsOf(make(ip, START - later))))
        expect(moved).toEqual(alone)
      }),
      { numRuns: 20 },
    )
  })
})
