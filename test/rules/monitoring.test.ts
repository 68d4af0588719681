import { expect, it } from '@jest/globals'
import { createMetrics } from '../../runtime/metrics.ts'
import { filesEndingIn, readText } from './files.ts'

const monitoring = filesEndingIn('.json', '.yml').filter(({ path }) =>
  /^deploy\/(?:grafana|prometheus)\//.test(path),
)

it('asks in dashboards and rules for metrics that there are', async () => {
  const known = (await createMetrics({ defaults: true }).registry.getMetricsAsJSON()).map(({ name }) => name)
  const names = monitoring.flatMap(({ text }) =>
    [...text.matchAll(/\b(?:netsentinel|nodejs|process)_[a-z0-9_]+\b/g)].map(([name]) =>
      name.replace(/_(?:bucket|sum|count)$/, ''),
    ),
  )
  expect(names.length).toBeGreaterThan(20)
  expect([...new Set(names)].filter(name => !known.includes(name))).toEqual([])
})

it('has a dashboard whose panels each ask the provisioned source for something', () => {
  const { panels } = JSON.parse(readText('deploy/grafana/dashboards/netsentinel.json'))
  const source = /uid: (\S+)/.exec(readText('deploy/grafana/provisioning/datasources/prometheus.yml'))?.[1]
  for (const { title, targets, datasource } of panels) {
    expect(datasource.uid).toBe(source)
    expect([title, targets.every(({ expr }: { expr: string }) => expr.length > 0)]).toEqual([title, true])
  }
})

it('says in the documentation what each metric means', async () => {
  const docs = filesEndingIn('.md')
    .filter(({ path }) => path.startsWith('docs/'))
    .map(({ text }) => text)
    .join('\n')
  const metrics = await createMetrics().registry.getMetricsAsJSON()
  expect(metrics.map(({ name }) => name).filter(name => !docs.includes(name))).toEqual([])
})
