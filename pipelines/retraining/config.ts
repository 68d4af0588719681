import { z } from 'zod'
import { flag, int, section, setting } from '../../runtime/config.ts'

/** Settings of retraining. */
export const retrainingConfig = section('retraining', {
  cron: setting(
    'RETRAIN_CRON',
    z.string().default(''),
    'When a model is trained anew, as a cron expression in UTC, e.g. `0 3 * * *`; never by the clock when empty.',
  ),
  windowMs: setting(
    'RETRAIN_WINDOW_MS',
    int(1_000).default(7 * 24 * 3_600_000),
    'Events that arrived this long ago or less are learnt from, in ms.',
  ),
  rows: setting(
    'RETRAIN_ROWS',
    int(1_000, 1_000_000).default(25_000),
    'Most events of the window that are learnt from and tried on; an even sample of them when there are more.',
  ),
  threads: setting('RETRAIN_THREADS', int(1, 64).default(1), 'Threads that train.'),
  autoencoder: setting(
    'RETRAIN_AUTOENCODER',
    flag().default(false),
    'Whether an autoencoder is trained as a fourth model: more time to train and to score, for connections that are no straight line.',
  ),
  shadowEvents: setting(
    'RETRAIN_SHADOW_EVENTS',
    int(500).default(2_000),
    'Live events that a challenger scores beside the champion before it is decided on.',
  ),
  shadowMs: setting(
    'RETRAIN_SHADOW_MS',
    int(1_000).default(3_600_000),
    'How long is waited for them, in ms; then it is decided by those that there were.',
  ),
  guardMs: setting(
    'RETRAIN_GUARD_MS',
    int(0).default(3_600_000),
    'How long a new champion is watched after its promotion, in ms, and rolled back when its alerts leave their bounds.',
  ),
  drift: setting(
    'RETRAIN_DRIFT',
    z.coerce.number().min(0).default(0),
    'Stability index of the scores, against training, from which a model is trained anew, once a day at most; never at 0.',
  ),
})
