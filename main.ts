#!/usr/bin/env node
import { join } from 'node:path'
import { check } from './connectors/check.ts'
import { grants } from './connectors/kafka/acls.ts'
import { acls, renderAclsMarkdown } from './connectors/kafka/acls-command.ts'
import { kafkaConfig } from './connectors/kafka/client.ts'
import { topics } from './connectors/kafka/topics-command.ts'
import { notifierSections } from './connectors/notifiers/catalogue.ts'
import { redisConfig } from './connectors/redis.ts'
import { registryConfig } from './connectors/registry.ts'
import { sourcesConfig } from './connectors/sources/config.ts'
import { password } from './gateway/client/password-command.ts'
import { watch } from './gateway/client/watch-command.ts'
import { createGateway } from './gateway/command.ts'
import { gatewayConfig } from './gateway/config.ts'
import { createConsoleDashboard } from './gateway/console.ts'
import { renderFeaturesMarkdown } from './models/features/page.ts'
import { modelsConfig } from './models/registry/keys.ts'
import { alert } from './pipelines/alerting/command.ts'
import { alertingConfig } from './pipelines/alerting/config.ts'
import { decide } from './pipelines/alerting/decide-command.ts'
import { rules } from './pipelines/alerting/rules-command.ts'
import { openBackOffice } from './pipelines/back-office.ts'
import { dlq } from './pipelines/dead-letters/command.ts'
import { ingest } from './pipelines/ingest/command.ts'
import { replay } from './pipelines/ingest/replay.ts'
import { models } from './pipelines/models/command.ts'
import { notify } from './pipelines/notifying/command.ts'
import { notifyConfig } from './pipelines/notifying/config.ts'
import { retrainingConfig } from './pipelines/retraining/config.ts'
import { evaluate } from './pipelines/retraining/evaluate-command.ts'
import { retrain } from './pipelines/retraining/retrain-command.ts'
import { rows } from './pipelines/retraining/rows-command.ts'
import { score } from './pipelines/scoring/command.ts'
import { diff } from './pipelines/scoring/diff-command.ts'
import { scoringConfig } from './pipelines/scoring/scoring.ts'
import { createUp } from './pipelines/up/command.ts'
import { secrets } from './pipelines/up/secrets-command.ts'
import { type Command, commandHelp, parseCommandLine, programHelp } from './runtime/command.ts'
import { loadConfig, loadPartOfConfig, type Section, type SectionValues } from './runtime/config.ts'
import { dataConfig } from './runtime/data.ts'
import { embeddedConfig } from './runtime/embedded/config.ts'
import { runningServices } from './runtime/embedded/running.ts'
import { messageOf, SentinelError, toSentinelError } from './runtime/errors.ts'
import { EXIT, exitCodeOf, processConfig, supervise } from './runtime/lifecycle.ts'
import { createLog, logConfig, logFile } from './runtime/log.ts'
import { createMetrics } from './runtime/metrics.ts'
import { VERSION } from './runtime/version.ts'
import { createGenerate } from './schemas/generate-command.ts'
import { topicsConfig } from './schemas/topics.ts'

const SECTIONS = {
  kafka: kafkaConfig,
  topics: topicsConfig,
  registry: registryConfig,
  redis: redisConfig,
  sources: sourcesConfig,
  scoring: scoringConfig,
  retraining: retrainingConfig,
  models: modelsConfig,
  alerting: alertingConfig,
  gateway: gatewayConfig,
  notify: notifyConfig,
  ...notifierSections,
  data: dataConfig,
  embedded: embeddedConfig,
  process: processConfig,
  log: logConfig,
} satisfies Record<string, Section>

/** How long a connection may keep the process after its work is done, in ms. */
const LINGER_MS = 2_000

type Config = { readonly [K in keyof typeof SECTIONS]: SectionValues<(typeof SECTIONS)[K]> }

const COMMANDS: Readonly<Record<string, Command<Config>>> = {
  up: createUp<Config>(createConsoleDashboard<Config>(openBackOffice)),
  ingest,
  score,
  diff,
  alert,
  decide,
  rules,
  retrain,
  evaluate,
  rows,
  models,
  gateway: createGateway<Config>(openBackOffice),
  notify,
  replay,
  dlq,
  watch,
  password,
  topics,
  acls,
  secrets,
  check,
  generate: createGenerate(Object.values(SECTIONS), [
    { path: 'docs/features.md', content: renderFeaturesMarkdown() },
    {
      path: 'docs/acls.md',
      content: renderAclsMarkdown(grants(loadConfig({ topics: topicsConfig }, {}).topics)),
    },
  ]),
}

/** Settings, with the addresses of services that `netsentinel up` runs here where nothing else names them. */
const readConfig = (): Config => {
  const { data } = loadPartOfConfig({ data: dataConfig })
  return loadConfig(SECTIONS, undefined, runningServices(data.dir))
}

const run = async (name: string, args: readonly string[]): Promise<number> => {
  const command = COMMANDS[name]
  if (command === undefined) throw new SentinelError('NS_USAGE', `there is no command '${name}'`)
  const { options, operands } = parseCommandLine(name, command, args)
  if (options['help'] === true) {
    process.stdout.write(`${commandHelp(name, command)}\n`)
    return EXIT.ok
  }
  const config = readConfig()
  const destination = command.logsToFile
    ? logFile(join(config.data.dir, 'logs', 'netsentinel.log'))
    : undefined
  const log = createLog(config.log, `netsentinel-${name}`, destination)
  const metrics = createMetrics({ defaults: true })
  const interrupt = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => interrupt.abort())
  return command.run({
    config,
    log,
    metrics,
    options,
    operands,
    print: line => process.stdout.write(`${line}\n`),
    tell: line => process.stderr.write(`${line}\n`),
    supervise: services =>
      supervise(services, {
        config: config.process,
        log,
        metrics,
        signals: process,
        interrupted: interrupt.signal,
        exit: code => process.exit(code),
      }),
    interrupted: interrupt.signal,
  })
}

const main = async ([name, ...args]: readonly string[]): Promise<number> => {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(`${programHelp(COMMANDS)}\n`)
    return name === undefined ? EXIT.usage : EXIT.ok
  }
  if (name === '--version') {
    process.stdout.write(`${VERSION}\n`)
    return EXIT.ok
  }
  try {
    return await run(name, args)
  } catch (error) {
    const { code, advice } = toSentinelError(error)
    process.stderr.write(`netsentinel: ${messageOf(error)} (${code})\n  ${advice}\n`)
    return exitCodeOf(error)
  }
}

// A reader that went away (`netsentinel watch | head`) is no error of ours.
process.stdout.on('error', () => process.exit(EXIT.ok))
process.exitCode = await main(process.argv.slice(2))
// What outlived the drain deadline must not keep the process: it ends by itself, or it is ended.
setTimeout(() => process.exit(), LINGER_MS).unref()
