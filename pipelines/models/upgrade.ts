import type { TrainedModel } from '../../models/detector.ts'
import { featureHash } from '../../models/features/features.ts'
import type { Log } from '../../runtime/log.ts'
import type { ModelRegistry } from './registry.ts'

/**
 * Puts the model that ships in force where the champion was trained on other features than this version of NetSentinel
 * computes: no scorer of this version serves that one any more. True when it did. A scorer of the version before refuses
 * the new champion and goes on with the old one, until it is replaced itself.
 *
 * Throws as the registry does.
 */
export const replaceOutdated = async (deps: {
  readonly registry: Pick<ModelRegistry, 'list' | 'point'>
  readonly shipped: TrainedModel
  readonly log: Log
}): Promise<boolean> => {
  const { registry, shipped, log } = deps
  const view = await registry.list()
  const champion = view.pointer('champion')
  const manifest = champion && view.model(champion.version)?.record?.manifest
  if (manifest === undefined || manifest.featureHash === featureHash) return false
  const reason = `${manifest.version} was trained on other features than this version of NetSentinel computes`
  const { version, sequence } = await registry.point('champion', shipped.manifest.version, reason)
  log.error({ version, sequence, before: manifest.version }, `the model that ships is in force: ${reason}`)
  return true
}
