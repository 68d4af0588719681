import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { sourcesConfig } from '../../connectors/sources/config.ts'
import { createNormalise } from '../../connectors/sources/normalise.ts'
import { correlate } from '../../models/rules/correlate.ts'
import { loadRules, SHIPPED_RULES } from '../../models/rules/load.ts'
import { parseTimespan } from '../../models/rules/measure.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Threat } from '../../schemas/generated.ts'
import { createGroups } from '../../test/support/groups.ts'
import { makeThreat } from '../../test/support/threats.ts'

/** Raw lines of a sensor: `{n}` stands for the number of the line, `{time}` for its time. */
interface Step {
  /** How long after the step before; negative for lines that come late. */
  readonly after?: string
  readonly times?: number
  readonly every?: string
  /** Fields of the threat that scoring makes of it. */
  readonly threat?: Partial<Threat>
  readonly line: object
}

interface Case {
  readonly name: string
  readonly steps: readonly Step[]
}

interface Fixture {
  readonly fires: readonly Case[]
  readonly silent: readonly Case[]
}

const FIXTURES = join(SHIPPED_RULES, 'fixtures')
const START = Date.UTC(2026, 10, 23, 21, 0, 0)

const rules = loadRules()
const alerting = rules.correlations.filter(rule => rule.alerts).map(rule => rule.id)
const read = (rule: string) => JSON.parse(readFileSync(join(FIXTURES, `${rule}.json`), 'utf8')) as Fixture

const { sources } = loadConfig({ sources: sourcesConfig }, { SECRETS_KEY: 'a key of sixteen characters' })
const normalise = createNormalise(sources)

const spanOf = (text = '0s'): number =>
  text.startsWith('-') ? -parseTimespan(text.slice(1)) : text === '0s' ? 0 : parseTimespan(text)

/** The threats of a case, made of its raw lines as ingest and scoring make them. */
const threatsOf = ({ steps }: Case): Threat[] => {
  let time = START
  let n = 10
  return steps.flatMap(({ after, times = 1, every, threat = {}, line }) => {
    time += spanOf(after)
    return Array.from({ length: times }, (_, i) => {
      if (i > 0) time += spanOf(every)
      n += 1
      const at = new Date(time).toISOString()
      const raw = JSON.stringify(line)
        .replaceAll('{time}', at)
        .replaceAll('{n}', String(n % 90))
      const events = normalise(raw, { topic: 'raw-events', partition: 0, offset: n, timestamp: time })
      return events.map(event => {
        expect(event.time).toBe(time)
        return makeThreat({ event, severity: 'low', score: 0.6, ...threat })
      })
    }).flat()
  })
}

/** Ids of the rules that fire while threats come one after the other. */
const firedBy = (threats: readonly Threat[]): string[] => {
  const groups = createGroups()
  return threats.flatMap(threat => correlate(rules, threat, groups).map(({ rule }) => rule.id))
}

describe('every rule that ships', () => {
  it('has events that fire it and events that do not, and nothing else has', () => {
    const files = readdirSync(FIXTURES).map(name => name.replace(/\.json$/, ''))
    expect(files.toSorted()).toEqual(alerting.toSorted())
    for (const rule of alerting) {
      expect(read(rule).fires.length).toBeGreaterThan(0)
      expect(read(rule).silent.length).toBeGreaterThan(0)
    }
  })

  const cases = (kind: keyof Fixture) =>
    alerting.flatMap(rule => read(rule)[kind].map(each => [rule, each.name, each] as const))

  it.each(cases('fires'))('%s fires: %s', (rule, _name, each) => {
    expect(firedBy(threatsOf(each))).toContain(rule)
  })

  it.each(cases('silent'))('%s does not fire: %s', (rule, _name, each) => {
    expect(firedBy(threatsOf(each))).not.toContain(rule)
  })
})
