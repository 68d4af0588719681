import type { HeldModel } from '../../models/registry/ledger.ts'
import type { Log } from '../../runtime/log.ts'
import { orRefusal } from '../refusal.ts'
import { assertServable } from './open.ts'
import type { ModelRegistry, RegistryView } from './registry.ts'
import { ROLES, stateOf } from './show.ts'

const summaryOf = (view: RegistryView, model: HeldModel) => {
  const { version, record, problem } = model
  return {
    version,
    state: stateOf(view, model),
    problem: problem ?? null,
    published: record?.published ?? null,
    size: record?.size ?? null,
    rows: record?.manifest.rows ?? null,
    parent: record?.parent ?? null,
  }
}

const detailOf = (view: RegistryView, model: HeldModel) => {
  const { record, version } = model
  return {
    ...summaryOf(view, model),
    pointers: ROLES.flatMap(role => {
      const pointer = view.pointer(role)
      if (pointer?.version !== version) return []
      return [{ role, sequence: pointer.sequence, at: pointer.at, reason: pointer.reason }]
    }),
    window: record?.window ?? null,
    metrics: record?.metrics ?? {},
    report: record?.report ?? null,
    threshold: record?.manifest.threshold ?? null,
    models: record?.manifest.models ?? [],
    sha256: record?.manifest.sha256 ?? null,
  }
}

const pointersOf = (view: RegistryView) => ({
  champion: view.pointer('champion'),
  challenger: view.pointer('challenger'),
})

/** What people do to models from elsewhere than the command line, by the same registry. Follows it; throws as it does. */
export const openModelsOffice = async (registry: ModelRegistry, log: Log) => {
  const followers = new Set<(pointers: ReturnType<typeof pointersOf>) => void>()
  const followed = await registry.follow(view => {
    for (const follow of followers) follow(pointersOf(view))
  }, log)
  const { view } = followed
  return {
    check: followed.check,
    failed: followed.failed,
    close: followed.close,
    /** Calls with where the pointers stand, at once and whenever one may have moved. */
    follow: (onPointers: (pointers: ReturnType<typeof pointersOf>) => void) => {
      followers.add(onPointers)
      onPointers(pointersOf(view))
    },
    list: async () => view.models().map(model => summaryOf(view, model)),
    find: async (version: string) => {
      const model = view.model(version)
      return model === undefined ? undefined : detailOf(view, model)
    },
    /** Puts a version in force that a scorer can serve; or says why not. */
    promote: (version: string, reason: string) =>
      orRefusal(async () => {
        await assertServable(await registry.read(version))
        const { sequence } = await registry.point('champion', version, reason)
        await followed.caughtUp()
        return { version, sequence }
      }),
    rollback: (reason: string) =>
      orRefusal(async () => {
        const { version, sequence } = await registry.rollback(reason)
        await followed.caughtUp()
        return { version, sequence }
      }),
  }
}
