import { createKafka } from '../../connectors/kafka/client.ts'
import { createRegistry, type registryConfig } from '../../connectors/registry.ts'
import { loadBaseline } from '../../models/baseline/load.ts'
import type { TrainedModel } from '../../models/detector.ts'
import { EVENT_FIELDS } from '../../models/features/event-fields.ts'
import { readJudgedEvent } from '../../models/features/read-event.ts'
import { recentFormOf } from '../../models/foreign/form.ts'
import { withReference, withUsual } from '../../models/foreign/reference.ts'
import type { CommandContext } from '../../runtime/command.ts'
import type { SectionValues } from '../../runtime/config.ts'
import { topicCatalogue } from '../../schemas/topics.ts'
import type { retrainingConfig } from '../retraining/config.ts'
import { FEWEST, readWindow } from '../retraining/read-window.ts'
import type { WindowEvents } from '../retraining/window-events.ts'
import type { scoringConfig } from '../scoring/scoring.ts'
import type { ModelsConfig } from './open.ts'
import { unlessAway } from './unless-away.ts'

/** The settings by which the events of late are read. */
export interface ReferenceConfig extends ModelsConfig {
  readonly registry: SectionValues<typeof registryConfig>
  readonly scoring: SectionValues<typeof scoringConfig>
  readonly retraining: SectionValues<typeof retrainingConfig>
}

type Context = Pick<CommandContext<ReferenceConfig>, 'config' | 'log' | 'tell' | 'interrupted'>

/** Events that a distribution is taken of: enough for tenths, and soon scored by a slow model as well. */
const ROWS = 2_000

const readEvents = async (
  { config, log, interrupted }: Context,
  model: TrainedModel,
): Promise<WindowEvents> => {
  const topics = topicCatalogue(config.topics)
  const schemas = createRegistry(config.registry)
  const event = await schemas.codec('Event', topics.events.name)
  return readWindow(
    {
      config: { windowMs: config.retraining.windowMs, rows: ROWS },
      kafka: createKafka({ config: config.kafka, log }),
      events: topics.events.name,
      codecs: {
        judged: event.select(EVENT_FIELDS, readJudgedEvent),
        entityState: await schemas.codec('EntityState', topics.entityState.name),
      },
      maxEntities: config.scoring.maxEntities,
      recent: recentFormOf(model.manifest.foreign),
    },
    new Set(),
    () => undefined,
    interrupted,
  )
}

/**
 * A model that is not ours, completed by what the network is like: the distribution of features and of its scores over the
 * events of late, which drift is measured against, and the usual value of each column. Where there are too few events, it
 * says so, and the usual values are those of the model that ships. Throws NS_MODEL_REFUSED, and what reading throws.
 */
export const completeForeign = async (context: Context, model: TrainedModel): Promise<TrainedModel> => {
  const read = await unlessAway('the events of late', context.tell, () => readEvents(context, model))
  const sample = read?.sample ?? []
  if (sample.length >= FEWEST)
    return withReference(
      model,
      sample.map(({ observation }) => observation),
    )
  context.tell(
    `${sample.length} events of late, fewer than ${FEWEST}: its drift will not be known until it is imported again, under another version`,
  )
  return withUsual(model, loadBaseline().manifest.training?.features ?? [])
}
