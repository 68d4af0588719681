import { statSync } from 'node:fs'
import { loadRules, ruleFilesIn } from '../../models/rules/load.ts'
import type { RuleSet } from '../../models/rules/rule-set.ts'
import type { Command } from '../../runtime/command.ts'
import { SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { type AlertingConfig, configuredRules } from './command.ts'

const filesOf = (path: string): string[] => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new SentinelError('NS_USAGE', `rules: there is no file or folder ${path}`)
  return found.isDirectory() ? ruleFilesIn(path) : [path]
}

const linesOf = ({ correlations }: RuleSet): string[] =>
  correlations
    .filter(({ alerts }) => alerts)
    .map(({ id, level, type, timespan, groupBy, title }) =>
      [
        id.padEnd(28),
        level.padEnd(8),
        type.padEnd(16),
        timespan.padEnd(4),
        groupBy.join(' + '),
        `– ${title}`,
      ].join('  '),
    )

/** `netsentinel rules`. */
export const rules: Command<Pick<AlertingConfig, 'alerting'>> = {
  summary: 'Check rule files, and list the rules that make alerts.',
  operands: '[FILE | DIRECTORY …]',
  details: [
    'Without operands, the rules in force: those that ship and those of ALERTING_RULES_DIR. With operands, those that',
    'ship and the ones named. The first thing that is wrong is named with its file, line and column.',
  ].join('\n'),
  run: async ({ config, operands, print }) => {
    const set =
      operands.length === 0 ? configuredRules(config.alerting) : loadRules(operands.flatMap(filesOf))
    for (const line of linesOf(set)) print(line)
    return EXIT.ok
  },
}
