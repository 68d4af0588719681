import type { HeldModel } from '../../models/registry/ledger.ts'
import type { ModelRecord, Pointer, Role } from '../../models/registry/records.ts'
import type { RegistryView } from './registry.ts'

/** The pointers that there are. */
export const ROLES: readonly Role[] = ['champion', 'challenger']

/** What a version is at the moment, in one word. */
export const stateOf = (view: RegistryView, { version, problem }: HeldModel): string => {
  const role = ROLES.find(each => view.pointer(each)?.version === version)
  return role ?? (problem === undefined ? 'held' : 'refused')
}

const timeOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1000)} kB`

const HEAD = ['VERSION', 'STATE', 'PUBLISHED (UTC)', 'SIZE', 'ROWS', 'PARENT', 'REFUSED BECAUSE']

const rowOf = (view: RegistryView, model: HeldModel): string[] => {
  const { version, record, problem } = model
  return [
    version,
    stateOf(view, model),
    record === undefined ? '?' : timeOf(record.published),
    record === undefined ? '?' : kilobytes(record.size),
    record === undefined ? '?' : String(record.manifest.rows),
    record?.parent ?? '-',
    problem ?? '',
  ]
}

/** Versions of the registry as a table, a line each; `shipped` is in force while there is no champion. */
export const listLines = (view: RegistryView, models: readonly HeldModel[], shipped: string): string[] => {
  const rows = [HEAD, ...models.map(model => rowOf(view, model))]
  const widths = HEAD.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  for (const role of ROLES) {
    const problem = view.pointerProblem(role)
    if (problem !== undefined) lines.push(`the pointer of the ${role} is passed over: ${problem}`)
  }
  if (view.pointer('champion') === undefined) {
    lines.push(`no champion: the model that ships (${shipped}) is in force`)
  }
  return lines
}

/** A version of the registry as JSON, for programs. */
export const modelJson = (view: RegistryView, model: HeldModel): string => {
  const { version, problem, record } = model
  return JSON.stringify({
    version,
    state: stateOf(view, model),
    problem: problem ?? null,
    record: record ?? null,
  })
}

const pointerLine = ({ role, sequence, at, reason, back }: Pointer): string =>
  `${role} since ${timeOf(at)}, sequence ${sequence}${back ? ', by a step back' : ''}: ${reason}`

/** How a model was made: of one that is not ours that is what its manifest says. */
const madeLines = ({ manifest, window }: ModelRecord): string[] => {
  const { foreign, calibration, rows, seed } = manifest
  const span = window === null ? '' : `, ${timeOf(window.from)} to ${timeOf(window.to)}`
  return [
    foreign === undefined ? `trained on ${rows} rows${span}, seed ${seed}` : `made by ${foreign.origin}`,
    ...(foreign !== undefined && calibration.rows === 0
      ? ['not calibrated: its threshold is no budget of false alerts']
      : [`calibrated on ${calibration.rows} rows: one usual event in ${calibration.budget} is a threat`]),
  ]
}

/** All that the registry says of one version, a line each; `refused` is why it cannot be served. */
export const modelLines = (view: RegistryView, model: HeldModel, refused: string | undefined): string[] => {
  const { version, record } = model
  const pointers = ROLES.flatMap(role => {
    const pointer = view.pointer(role)
    return pointer?.version === version ? [pointerLine(pointer)] : []
  })
  const verdict = refused === undefined ? 'it can be served' : `refused: ${refused}`
  if (record === undefined) return [version, ...pointers, verdict]
  const { manifest, metrics, parent, report } = record
  const { medium, high, critical } = manifest.severities
  return [
    version,
    ...pointers,
    verdict,
    `published ${timeOf(record.published)}, ${record.size} bytes in ${record.chunks} records`,
    `parent ${parent ?? 'none'}`,
    ...madeLines(record),
    `threshold ${manifest.threshold}; medium ${medium}, high ${high}, critical ${critical}`,
    `models ${manifest.models.join(', ')}; layout ${manifest.layout}`,
    `features ${manifest.features.length}, hash ${manifest.featureHash}`,
    `sha256 ${manifest.sha256}`,
    ...Object.entries(metrics).map(([name, value]) => `${name} ${value}`),
    ...(report === null ? [] : ['', report]),
  ]
}
