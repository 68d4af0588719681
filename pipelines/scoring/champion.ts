import { setTimeout as sleep } from 'node:timers/promises'
import type { Detector, TrainedModel } from '../../models/detector.ts'
import { createOnnxDetector, type OnnxDetectorDeps } from '../../models/onnx/onnx-detector.ts'
import type { Move } from '../../models/registry/records.ts'
import { SentinelError, toSentinelError } from '../../runtime/errors.ts'
import type { Check } from '../../runtime/lifecycle.ts'
import type { Log } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { ModelRegistry, RegistryView } from '../models/registry.ts'
import { enforce } from './model-in-force.ts'
import type { ModelAtWork, ModelsAtWork } from './models-at-work.ts'

/** What the champion is served with. */
export interface ChampionDeps {
  readonly registry: Pick<ModelRegistry, 'follow' | 'read'>
  /** Serves while there is no champion. */
  readonly shipped: TrainedModel
  /** Score from which analyses are explained; each model's own threshold when undefined. */
  readonly explainFrom?: number | undefined
  readonly log: Log
  readonly metrics: Metrics
  /** Opens a model; by onnxruntime when not given. */
  readonly open?: (deps: OnnxDetectorDeps) => Promise<Detector>
}

/** The champion of the registry, at work. */
export interface Champion extends ModelsAtWork {
  check(): Promise<readonly Check[]>
  /** Rejects when the registry can be followed no longer. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

/** A model that is open, and by how many batches it is used. */
interface Opened extends ModelAtWork {
  /** When it was published, in ms since 1970; undefined for the one that ships. */
  readonly published: number | undefined
  users: number
  replaced: boolean
}

/** Waits before the next attempt to read a model, in ms: doubled each time. */
const RETRY_FIRST_MS = 200
const RETRY_MOST_MS = 10_000

/** The models to serve, the best one first: where the pointer stands, and where it stood before. */
const candidates = (view: RegistryView): Move[] => {
  const pointer = view.pointer('champion')
  return pointer === undefined ? [] : [pointer, ...pointer.before.toReversed()]
}

/**
 * Serves the champion of the registry, and each later one from the next batch of each partition on. A model is read and
 * opened beside the one at work, in a thread of its own; one that is refused leaves that in force, with the reason in the
 * log. At the start, a champion that is refused leaves the one before it in force, and none at all the one that ships.
 *
 * Throws NS_TOPIC_MISSING, NS_SERVICE_UNREACHABLE, and NS_MODEL_REFUSED when the model that ships cannot be served.
 */
export const serveChampion = async (deps: ChampionDeps): Promise<Champion> => {
  const { registry, shipped, explainFrom, log, metrics, open = createOnnxDetector } = deps
  const refused = new Map<number, string>()
  const closing = new AbortController()
  let serving: Opened | undefined
  let settling: Promise<void> | undefined
  let passedOver: string | undefined

  const openModel = async (model: TrainedModel, sequence: number, published?: number): Promise<Opened> => {
    const started = performance.now()
    const detector = await open({ ...model, explainFrom })
    log.info({ version: model.manifest.version, ms: Math.round(performance.now() - started) }, 'model opened')
    return { detector, sequence, published, users: 0, replaced: false }
  }

  const letGo = (old: Opened) => {
    if (!old.replaced || old.users > 0) return
    old.detector.close().catch((error: unknown) => log.warn({ err: error }, 'a model did not close cleanly'))
  }

  const serve = (next: Opened) => {
    const old = serving
    serving = next
    const { version } = next.detector.manifest
    metrics.modelInfo.reset()
    metrics.modelInfo.set({ version, role: 'champion' }, 1)
    log.info({ version, sequence: next.sequence, before: old?.detector.manifest.version }, 'model in force')
    if (old === undefined) return
    old.replaced = true
    letGo(old)
  }

  const refuse = ({ version, sequence }: Move, { code, message }: SentinelError) => {
    refused.set(sequence, message)
    metrics.modelsRefused.inc({ version })
    log.error({ code, version, sequence, serving: serving?.detector.manifest.version }, message)
  }

  /** Opens the best model that is later than the one at work. Throws what is transient. */
  const advance = async (view: RegistryView): Promise<void> => {
    for (const move of candidates(view)) {
      if (move.sequence <= (serving?.sequence ?? 0)) return
      if (refused.has(move.sequence)) continue
      try {
        const model = await registry.read(move.version, view)
        serve(await openModel(model, move.sequence, model.record.published))
        return
      } catch (error) {
        const problem = toSentinelError(error)
        if (problem.outcome === 'retriable') throw problem
        refuse(move, problem)
      }
    }
  }

  const settle = async (view: RegistryView): Promise<void> => {
    for (let wait = RETRY_FIRST_MS; !closing.signal.aborted; wait = Math.min(RETRY_MOST_MS, 2 * wait)) {
      try {
        await advance(view)
        return
      } catch (error) {
        const { code, message } = toSentinelError(error)
        log.warn({ code, retryMs: wait }, message)
        // Ends early when the champion is closed; the loop sees that.
        await sleep(wait, undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
  }

  const changed = (view: RegistryView) => {
    const problem = view.pointerProblem('champion')
    if (problem !== undefined && problem !== passedOver) {
      log.error(
        { serving: serving?.detector.manifest.version },
        `the champion's pointer is passed over: ${problem}`,
      )
    }
    passedOver = problem
    // Before the first model is at work, the start itself looks at what there is.
    if (settling !== undefined) settling = settling.then(() => settle(view))
  }

  const followed = await registry.follow(changed, log)
  try {
    await advance(followed.view)
    if (serving === undefined) serve(await openModel(shipped, shipped.manifest.sequence))
  } catch (error) {
    await followed.close()
    throw error
  }
  settling = settle(followed.view)

  const atWork = (): Opened => {
    if (serving === undefined) throw new SentinelError('NS_INTERNAL', 'there is no model at work')
    return serving
  }
  const stopMeasuring = metrics.onScrape(() => {
    const { published, detector } = atWork()
    const { version } = detector.manifest
    metrics.championAge.reset()
    if (published !== undefined) metrics.championAge.set({ version }, (Date.now() - published) / 1000)
  })

  return {
    use: async (_, work) => {
      const mine = atWork()
      mine.users++
      try {
        return await work(mine)
      } finally {
        mine.users--
        letGo(mine)
      }
    },
    reach: async inForce => {
      if (atWork().sequence < inForce.sequence) {
        await followed.caughtUp()
        await settling
      }
      const { detector, sequence } = atWork()
      try {
        enforce(inForce, { version: detector.manifest.version, sequence }, 0)
      } catch (error) {
        const why = refused.get(inForce.sequence)
        if (why === undefined) throw error
        const { code, message } = toSentinelError(error)
        throw new SentinelError(code, `${message}; the later one is refused here: ${why}`, { cause: error })
      }
    },
    check: () => followed.check(),
    failed: followed.failed,
    close: async () => {
      closing.abort()
      stopMeasuring()
      await followed.close()
      await settling
      await atWork().detector.close()
    },
  }
}
