import type { Notification } from '../../connectors/notifiers/notifier.ts'
import type { Alert } from '../../schemas/generated.ts'
import { makeAlert } from './threats.ts'

/** A valid notification: an alert of severity high has opened. */
export const makeNotification = (
  alert: Partial<Alert> = {},
  fields: Partial<Notification> = {},
): Notification => ({ key: 'ntf_0123456789abcdef', type: 'alert.opened', alert: makeAlert(alert), ...fields })
