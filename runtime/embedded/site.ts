import type { Artifacts } from './artifacts.ts'
import type { Child, Command } from './child.ts'
import type { Tools } from './tools.ts'

/** What a service is started from and where: the same for all of them. */
export interface Site {
  /** Holds one directory a service; absolute. */
  readonly dataDir: string
  readonly logDir: string
  readonly artifacts: Artifacts
  readonly tools: Tools
  /** Whether the broker is to be fast once warm rather than up soon. */
  readonly longRun: boolean
  /** Aborted when the start is given up. */
  readonly signal: AbortSignal
  /** Starts a child that ends with the site, however that ends. */
  start(command: Omit<Command, 'graceMs'>): Child
}
