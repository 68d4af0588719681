import { broadcasterContract } from '../../test/contract/broadcaster.ts'
import { createMemoryBroadcaster } from './memory-broadcaster.ts'

broadcasterContract(async () => createMemoryBroadcaster())
