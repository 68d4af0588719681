import type { Behaviour, Contribution, Event, Severity } from '../schemas/generated.ts'
import type { Histogram } from './evaluation/histogram.ts'
import type { JudgedEvent } from './features/event-fields.ts'
import type { ForeignForm } from './foreign/form.ts'

/** An event with what is known of its entity just before it: all that a detector may judge by. */
export interface Observation<E extends JudgedEvent = JudgedEvent> {
  readonly event: E
  /** State of the entity before this event; null for the first event of an entity. */
  readonly before: Behaviour | null
}

/** What a detector says of one event. */
export interface Analysis {
  /** 0 to 1, higher is more unusual. */
  readonly score: number
  /** The score in words, by the model's cut-offs. */
  readonly severity: Severity
  /** Score of each model of the ensemble, by its name. */
  readonly modelScores: Readonly<Record<string, number>>
  /**
   * The features that made the score, largest share first; empty below the score from which the detector explains, and
   * where its models give none.
   */
  readonly contributions: readonly Contribution[]
}

/** A model as training leaves it: bytes that any detector can load. */
export interface TrainedModel {
  readonly manifest: ModelManifest
  /** The ONNX file. */
  readonly onnx: Uint8Array
}

/** What is known of a model beside its graph. */
export interface ModelManifest {
  readonly version: string
  /** Place in the order of models that came into force; a scorer never goes back to a lower one by itself. */
  readonly sequence: number
  /** SHA-256 of the ordered feature list: a model whose hash differs from the code's is refused. */
  readonly featureHash: string
  readonly features: readonly string[]
  /** What the graph takes: `row` is rows × features, one row an event; the others are a foreign model's, see its form. */
  readonly layout: 'row' | 'window' | 'image'
  /**
   * Names of the outputs of a graph of ours: the score, rows × 1; the models' own, rows × models; what each feature adds,
   * rows × features.
   */
  readonly outputs?:
    | { readonly score: string; readonly models: string; readonly contributions: string }
    | undefined
  /** Of a model that is not ours, in place of outputs: how its graph is fed, and what comes out. */
  readonly foreign?: ForeignForm | undefined
  /** Names of the models, in the order of their scores. */
  readonly models: readonly string[]
  /** How the score was calibrated: on so many rows that no model was fitted on. */
  readonly calibration: {
    readonly rows: number
    /** The threshold as a budget of false alerts: one in so many usual events reaches it. */
    readonly budget: number
  }
  /** The range that 90 % of the training values of each feature lie in, in the order of the features. */
  readonly expected: { readonly low: readonly number[]; readonly high: readonly number[] }
  /** How the training rows were distributed: what drift is measured against; not known of a foreign model. */
  readonly training?: { readonly features: readonly Histogram[]; readonly scores: Histogram } | undefined
  /** Score from which an event is a threat, unless SCORING_THRESHOLD says otherwise. */
  readonly threshold: number
  /** Scores from which a threat is medium, high, critical. */
  readonly severities: { readonly medium: number; readonly high: number; readonly critical: number }
  readonly seed: number
  /** Rows it was trained on. */
  readonly rows: number
  /** SHA-256 of the ONNX file, in hex. */
  readonly sha256: string
}

/**
 * Judges events. Implementations: the ONNX model in a worker thread, and one in memory for tests.
 *
 * `analyze` returns one analysis an observation, in order; the same observation gives the same analysis to the bit,
 * whatever else is in the call. It throws NS_SCORING_FAILED when a score is not a number.
 */
export interface Detector {
  /** The model in force. */
  readonly manifest: ModelManifest
  analyze(observations: readonly Observation[]): Promise<readonly Analysis[]>
  /** Trains a model on events in time order per entity; deterministic in events and the manifest's seed. */
  train(
    events: readonly Event[],
    options: { readonly version: string; readonly sequence: number; readonly seed: number },
  ): Promise<TrainedModel>
  close(): Promise<void>
}
