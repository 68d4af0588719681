import type { TrainedModel } from '../../models/detector.ts'
import { type Comparison, type GateDecision, precisionOf } from '../../models/evaluation/gates.ts'
import { precisionLines, type VersionVerdicts } from './verdicts.ts'

/** What a report is made of. */
export interface ReportParts {
  readonly trigger: string
  readonly challenger: TrainedModel
  readonly champion: string
  readonly window: { readonly from: number; readonly to: number }
  /** Events of the window, and how many of them were learnt from and held out. */
  readonly events: number
  readonly learnt: number
  readonly comparison: Comparison
  readonly decision: GateDecision
  /** By analysts' verdicts, of each version. */
  readonly byVersion: ReadonlyMap<string, VersionVerdicts>
}

const date = (ms: number): string => new Date(ms).toISOString()

/** What is to be said of a challenger, in Markdown. */
export const reportOf = (parts: ReportParts): string => {
  const { challenger, window, comparison, decision, byVersion } = parts
  const { manifest } = challenger
  const precision =
    byVersion.size === 0
      ? ['- no threat has a verdict']
      : [...byVersion].flatMap(each => precisionLines(...each))
  return [
    `# ${manifest.version}`,
    '',
    `Trained because of: ${parts.trigger}. Replaces: ${parts.champion}.`,
    `Window: ${date(window.from)} to ${date(window.to)}, ${parts.events} events; ${parts.learnt} learnt from, the ` +
      `${comparison.rows} after them held out. Seed ${manifest.seed}. Threshold ${manifest.threshold}: at most one ` +
      `usual event in ${manifest.calibration.budget}.`,
    '',
    '## On held-out time',
    '',
    ...decision.gates.map(
      ({ name, passed, reason }) => `- ${passed ? 'passed' : 'FAILED'} ${name}: ${reason}`,
    ),
    '',
    '## Precision by verdicts of analysts',
    '',
    ...precision,
    '',
  ].join('\n')
}

/** The same in figures. */
export const figuresOf = ({ comparison, byVersion, champion, events, learnt }: ReportParts) => {
  const { rows, agreement } = comparison
  const before = precisionOf(byVersion.get(champion) ?? { truePositives: 0, falsePositives: 0 })
  return {
    windowEvents: events,
    trainedRows: learnt,
    heldOutRows: rows,
    alertShare: rows === 0 ? 0 : comparison.challenger.alerts / rows,
    championAlertShare: rows === 0 ? 0 : comparison.champion.alerts / rows,
    rankCorrelation: agreement.rank,
    topOverlap: agreement.top,
    verdicts: comparison.verdicts.truePositives + comparison.verdicts.falsePositives,
    ...(before === undefined ? {} : { championPrecision: before }),
  }
}
