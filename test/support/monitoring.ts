import { parse } from 'yaml'
import { z } from 'zod'
import { readText } from '../rules/files.ts'
import type { Stack } from './stack.ts'
import { until } from './until.ts'

const PATIENT = { timeoutMs: 120_000, intervalMs: 2_000 }

/** Panels of what does not happen while all is well. */
const QUIET = new Set([
  'Dead letters',
  'Transactions that did not commit',
  'Closed by the gateway',
  'Refused by a limit',
  'Clients that came back',
])

const rulesSchema = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
})
const dashboardSchema = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
})

/**
 * Has a Prometheus watch a stack under load: every process answers it, it can evaluate the rules, and each panel of the
 * dashboard shows something. Resolves with the panels that stay empty; rejects when anything else is wrong.
 */
export const emptyPanels = async (stack: Stack): Promise<string[]> => {
  await stack.start('prometheus')
  const promtool = (...args: readonly string[]) => stack.exec('prometheus', 'promtool', ...args)
  const ask = (query: string) => promtool('query', 'instant', 'http://127.0.0.1:9090', query)
  await promtool('check', 'config', '/etc/prometheus/prometheus.yml')
  const isWatching = async () => {
    const watched = await ask('count by (job) (up == 1) unless on (job) (up == 0)')
    return watched.includes('job="netsentinel"') && watched.includes('job="proxy"')
  }
  await until(isWatching, { ...PATIENT, what: 'every process at Prometheus' })
  const { groups } = rulesSchema.parse(parse(readText('deploy/prometheus/rules.yml')))
  for (const { expr } of groups.flatMap(({ rules }) => rules)) await ask(expr)
  const { panels } = dashboardSchema.parse(JSON.parse(readText('deploy/grafana/dashboards/netsentinel.json')))
  let empty = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))
  const areFilled = async () => {
    const still: typeof empty = []
    for (const each of empty) if ((await ask(each.expr)) === '' && !QUIET.has(each.title)) still.push(each)
    empty = still
    return empty.length === 0
  }
  // What stays empty is what is told.
  await until(areFilled, PATIENT).catch(() => undefined)
  return empty.map(({ title }) => title)
}
