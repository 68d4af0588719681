import type { Provided } from './provision.ts'
import { PROVIDED } from './setup.ts'

/** Releases what setup.ts got, after the last integration test. Called by jest. */
const teardown = async (): Promise<void> => {
  const { [PROVIDED]: provided } = globalThis as { [PROVIDED]?: Provided }
  await provided?.close()
}

export default teardown
