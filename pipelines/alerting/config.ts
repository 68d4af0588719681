import { z } from 'zod'
import { int, section, setting } from '../../runtime/config.ts'

/** Settings of alerting. */
export const alertingConfig = section('alerting', {
  rulesDir: setting(
    'ALERTING_RULES_DIR',
    z.string().optional(),
    'Directory of rule files (*.yml) that are added to the rules that ship, or replace them by id.',
  ),
  quietMs: setting(
    'ALERTING_QUIET_MS',
    int(1_000).default(30 * 60_000),
    'After how long without a threat an alert closes, in ms; never sooner than its rule’s timespan.',
  ),
  reopenMs: setting(
    'ALERTING_REOPEN_MS',
    int(0).default(4 * 3_600_000),
    'For how long after its end an alert is opened again, instead of a new one, when its rule fires again, in ms.',
  ),
  maxGroups: setting(
    'ALERTING_MAX_GROUPS',
    int(1).default(10_000),
    'Groups of threats that are followed in each partition before they make an alert; the least recent one is forgotten.',
  ),
  maxAlerts: setting(
    'ALERTING_MAX_ALERTS',
    int(1).default(2_000),
    'Alerts that are under way or may open again in each partition; beyond it the least recent one closes for good.',
  ),
})
