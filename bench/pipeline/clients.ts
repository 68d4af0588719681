import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientOptions, ClientResult } from '../kafkajs-client.ts'
import { ROOT, run } from './processes.ts'

/** Runs bare kafkajs as a process of its own. */
export interface BareClient {
  run(options: ClientOptions): Promise<ClientResult>
  close(): void
}

const PATCHES = 'connectors/kafka/patches'

/**
 * Lays out kafkajs as it is published, which is what anyone else has: a copy of the installed one, with the patches of
 * this repository taken out again.
 */
export const publishedKafkajs = async (): Promise<BareClient> => {
  const directory = mkdtempSync(join(tmpdir(), 'netsentinel-kafkajs-'))
  const copy = (path: string, to = path) => cpSync(join(ROOT, path), join(directory, to), { recursive: true })
  copy('node_modules/kafkajs')
  copy(PATCHES)
  copy('package.json')
  copy('package-lock.json')
  copy('bench/kafkajs-client.ts', 'client.ts')
  const patchPackage = join(ROOT, 'node_modules/patch-package/index.js')
  const flags = ['--patch-dir', PATCHES, '--reverse', '--error-on-fail']
  await run(process.execPath, [patchPackage, ...flags], { cwd: directory })
  return {
    run: async options => {
      const out = await run(process.execPath, [join(directory, 'client.ts'), JSON.stringify(options)])
      return JSON.parse(out) as ClientResult
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}
