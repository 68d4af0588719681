import { readDocuments } from '../../models/rules/documents.ts'
import { createRuleSet, type RuleSet } from '../../models/rules/rule-set.ts'

/** A rule set of texts, each of which is the one file of a layer. */
export const rulesOf = (...texts: readonly string[]): RuleSet =>
  createRuleSet(texts.map((text, index) => readDocuments(`layer${index}.yml`, text)))

/** A detection that means threats of this service. */
export const serviceRule = (service: string): string =>
  `title: ${service}\nname: ${service}\ndetection:\n  s: {service: ${service}}\n  condition: s\n`

/** A correlation with this id; `body` is what its correlation holds, a line each. */
export const correlationRule = (id: string, body: readonly string[], header = ''): string =>
  `title: ${id}\nid: ${id}\n${header}correlation:\n${body.map(line => `  ${line}\n`).join('')}`

/** Documents of one file. */
export const fileOf = (...documents: readonly string[]): string => documents.join('---\n')
