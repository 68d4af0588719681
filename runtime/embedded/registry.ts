import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from './child.ts'
import { type Probe, untilReady } from './ready.ts'
import type { Site } from './site.ts'

const HOST = '127.0.0.1'
const PROBE_TIMEOUT_MS = 10_000
const JVM = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-XX:-UsePerfData', '-Xmx256m']

/**
 * Where the registry keeps schemas and their ids: an H2 file. Without it they are in memory, and with the next start
 * the meaning of every stored record would be gone. A registered id is on disk before it is answered (WRITE_DELAY), as a
 * record with that id may be in Kafka a moment later. Relative, so that no character of DATA_DIR is read as an option.
 */
const DATASOURCE = 'jdbc:h2:file:./schemas;WRITE_DELAY=0'

/** The address of the Confluent API of a registry on `port`. */
export const registryUrl = (port: number) => `http://${HOST}:${port}/apis/ccompat/v6`

/** Whether the registry on `port` answers from its storage. */
export const registryServes =
  (port: number): Probe =>
  async () => {
    const response = await fetch(`${registryUrl(port)}/subjects`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`the registry answers ${response.status}`)
  }

/** Starts Apicurio Registry on `port` of loopback, on the schemas that are there. */
export const startRegistry = async (site: Site, port: number): Promise<Child> => {
  const directory = join(site.dataDir, 'registry')
  mkdirSync(join(directory, 'tmp'), { recursive: true })
  const child = site.start({
    name: 'the schema registry',
    command: site.tools.java,
    args: [
      ...JVM,
      `-Djava.io.tmpdir=${join(directory, 'tmp')}`,
      `-Dquarkus.http.host=${HOST}`,
      `-Dquarkus.http.port=${port}`,
      `-DREGISTRY_DATASOURCE_URL=${DATASOURCE}`,
      '-Dquarkus.datasource.jdbc.initial-size=1',
      '-Dquarkus.datasource.jdbc.min-size=1',
      '-Dquarkus.datasource.jdbc.max-size=10',
      '-jar',
      site.artifacts.registryJar,
    ],
    cwd: directory,
    logFile: join(site.logDir, 'registry.log'),
  })
  await untilReady(child, registryServes(port), site.signal)
  return child
}
