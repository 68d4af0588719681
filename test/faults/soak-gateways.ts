import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateways } from './gateways.ts'

/** Pause between two sends of threats, in ms: a thousand clients get each of them, on the cores of the gateways. */
const PACE_MS = 500
/** Threats that are published during a fault, and after it. */
const [DURING, AFTER] = [12, 12]

interface SoakGatewaysOptions {
  readonly brokers: string
  readonly schemaRegistryUrl: string
  readonly seed: number
  readonly clients: number
  readonly minutes: number
  readonly tell: (line: string) => void
}

/**
 * Disturbs two gateways and their clients for so many minutes, and prints what came of it as a line of JSON. Resolves
 * with the exit code.
 */
export const soakGateways = async ({ minutes, tell, ...options }: SoakGatewaysOptions): Promise<number> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'netsentinel-soak-'))
  tell(`${options.clients} clients of two gateways, ${minutes} minutes, seed ${options.seed}`)
  const gateways = await startGateways({ ...options, dataDir, paceMs: PACE_MS })
  try {
    const end = performance.now() + minutes * 60_000
    const faults: Record<string, number> = {}
    while (performance.now() < end) {
      const fault = gateways.anyFault()
      faults[fault] = (faults[fault] ?? 0) + 1
      await gateways.disturb(fault, DURING)
      await gateways.ready()
      await gateways.publish(AFTER)
      tell(`${fault}; ${JSON.stringify(gateways.counts())}`)
    }
    tell('checking')
    const problems = await gateways.check()
    for (const problem of problems) tell(problem.slice(0, 500))
    process.stdout.write(
      `${JSON.stringify({ clients: options.clients, seed: options.seed, faults, ...gateways.counts(), problems: problems.length })}\n`,
    )
    return problems.length === 0 ? 0 : 1
  } finally {
    await gateways.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}
