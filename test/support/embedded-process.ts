import { startEmbedded } from '../../runtime/embedded/embedded.ts'
import { silentLog } from '../../runtime/log.ts'

// Run by test/integration/embedded.test.ts as a process of its own, to be killed: DATA_DIR and EMBEDDED_LIB_DIR.
const [dataDir = '', libDir = ''] = process.argv.slice(2)
const { failed } = await startEmbedded({ config: { libDir }, dataDir, log: silentLog() })
await failed
