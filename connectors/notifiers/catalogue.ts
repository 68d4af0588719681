import type { SectionValues } from '../../runtime/config.ts'
import { notifyHttpConfig } from './http.ts'
import { createMail, mailConfig } from './mail.ts'
import type { Notifier } from './notifier.ts'
import { createSlack, slackConfig } from './slack.ts'
import { createWebhooks, webhookConfig } from './webhook.ts'

/** The settings of every notifier. */
export const notifierSections = {
  webhooks: webhookConfig,
  slack: slackConfig,
  mail: mailConfig,
  notifyHttp: notifyHttpConfig,
}

/** Values of {@link notifierSections}. */
export type NotifierSettings = {
  readonly [K in keyof typeof notifierSections]: SectionValues<(typeof notifierSections)[K]>
}

/** Every way of telling people; a new one is a file, its section above and a line here. */
const NOTIFIERS: readonly ((settings: NotifierSettings) => Notifier[])[] = [
  ({ webhooks, notifyHttp }) => createWebhooks(webhooks, notifyHttp),
  ({ slack, notifyHttp }) => createSlack(slack, notifyHttp),
  ({ mail }) => createMail(mail),
]

/** The notifiers that are configured; none when nothing is. Throws NS_CONFIG_INVALID. */
export const createNotifiers = (settings: NotifierSettings): Notifier[] =>
  NOTIFIERS.flatMap(create => create(settings))
