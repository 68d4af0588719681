import { IN_CONTAINERS } from './containers.ts'
import { type Provided, provideServices } from './provision.ts'

/** How teardown.ts, which runs in the same process, finds what was provided. */
export const PROVIDED = Symbol.for('netsentinel.test.provided')

/** Gets the services before the first integration test; workers inherit the addresses. Called by jest. */
const setup = async (): Promise<void> => {
  const provided: Provided = await provideServices()
  Object.assign(process.env, provided.addresses, provided.inContainers && { [IN_CONTAINERS]: '1' })
  Object.assign(globalThis, { [PROVIDED]: provided })
}

export default setup
