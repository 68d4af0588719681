import { median } from '../pipeline/processes.ts'
import { decimal, perSecond, spread, table } from '../pipeline/report.ts'
import type { Finding, Storm } from './measure.ts'

/** What was found of deliveries, by what was delivered to how many: medians of the rounds. */
export const deliveries = (findings: readonly Finding[]): string => {
  const kinds = Map.groupBy(findings, each =>
    [
      perSecond(each.subscribers),
      each.perSecond,
      each.atOnce,
      perSecond(each.bytes),
      each.server + (each.isOneDeaf ? ', one reads nothing' : ''),
    ].join(' | '),
  )
  const rows = [...kinds].map(([kind, runs]) => {
    const show = (pick: (finding: Finding) => number) => spread(runs.map(pick), decimal)
    return [
      kind,
      show(each => each.cpuMicrosPerMessage),
      show(each => each.p50),
      show(each => each.p99),
      show(each => each.perRead),
      show(each => each.delivered * 100),
    ]
  })
  const what = ['subscribers', 'times a second', 'at once', 'bytes', 'server']
  return table([...what, 'CPU µs/message', 'p50 ms', 'p99 ms', 'messages a read', '% delivered'], rows)
}

/** What a client that reads nothing does to the others: their latency without it and with it, in the same run. */
export const others = (findings: readonly Finding[]): string => {
  const rows = [...Map.groupBy(findings, ({ server }) => server)].map(([server, runs]) => {
    const p99 = (isOneDeaf: boolean) => runs.filter(run => run.isOneDeaf === isOneDeaf).map(run => run.p99)
    const [without, beside] = [p99(false), p99(true)]
    const ratio = median(beside) / median(without)
    return [server, spread(without, decimal), spread(beside, decimal), ratio.toFixed(2)]
  })
  return table(['server', "the others' p99 ms without one that reads nothing", 'with it', 'ratio'], rows)
}

/** Memory of connections that only listen. */
export const memory = (sockets: number, kbOf: ReadonlyMap<string, number>): string =>
  table(
    ['server', `KB a connection, ${perSecond(sockets)} idle`],
    [...kbOf].map(([name, kb]) => [name, decimal(kb)]),
  )

/** What it took when all came back at once. */
export const storms = (found: readonly Storm[]): string =>
  table(
    ['server', 'clients that come back', 'messages that each gets', 'CPU µs/client', 'all there after'],
    found.map(each => [
      each.server,
      perSecond(each.clients),
      String(each.recovered),
      perSecond(each.cpuMicrosPerClient),
      `${each.seconds.toFixed(1)} s`,
    ]),
  )
