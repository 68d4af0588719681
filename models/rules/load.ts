import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { type RuleDocument, readDocuments } from './documents.ts'
import { createRuleSet, type RuleSet } from './rule-set.ts'

/** Folder of the rules that ship. */
export const SHIPPED_RULES = fileURLToPath(new URL('shipped', import.meta.url))

const read = (file: string): RuleDocument[] => {
  try {
    return readDocuments(file, readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof SentinelError) throw error
    throw new SentinelError('NS_RULE_INVALID', `${file}: ${messageOf(error)}`, { cause: error })
  }
}

/** The rule files of a folder, those of its folders included, in the order of their names. */
export const ruleFilesIn = (directory: string): string[] => {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter(name => /\.ya?ml$/.test(name))
      .toSorted()
      .map(name => join(directory, name))
  } catch (error) {
    throw new SentinelError('NS_RULE_INVALID', `${directory}: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * Reads the rules that ship, and those of `files`, which replace shipped ones of the same id. Throws NS_RULE_INVALID
 * that names the file and the place.
 */
export const loadRules = (files: readonly string[] = []): RuleSet =>
  createRuleSet([ruleFilesIn(SHIPPED_RULES).flatMap(read), files.flatMap(read)])
