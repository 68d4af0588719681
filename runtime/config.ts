import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { messageOf, SentinelError } from './errors.ts'

/** What a setting says of itself beside its type. */
interface SettingMeta {
  readonly env: string
  readonly secret: boolean
  readonly doc: string
}

const registry = z.registry<SettingMeta>()

/** The settings of one part of the system, kept beside the code that reads them. */
export interface Section<S extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: string
  readonly schema: z.ZodObject<S, z.core.$strict>
}

/** The values of a section. */
export type SectionValues<T extends Section> = Readonly<z.output<T['schema']>>

/** The environment as the process got it; the only type in the project through which it is read. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Declares a setting: the environment variable that carries it, its type and default, and its documentation.
 * A secret can also come from the file that `<env>_FILE` names, and its value never appears in a message.
 */
export const setting = <T extends z.ZodType>(
  env: string,
  schema: T,
  doc: string,
  { secret = false } = {},
): T => {
  registry.add(schema, { env, secret, doc })
  return schema
}

/** Declares a section. Keys are strict: a misspelt one in the file is an error. */
export const section = <S extends z.ZodRawShape>(name: string, shape: S): Section<S> => ({
  name,
  schema: z.strictObject(shape) as z.ZodObject<S, z.core.$strict>,
})

const split = (text: string) =>
  text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')

/** A list: comma-separated in the environment, an array in the file. */
export const list = () => z.union([z.array(z.string()), z.string().transform(split)])

/** A boolean: true/false, 1/0, yes/no, on/off in the environment. */
export const flag = () => z.union([z.boolean(), z.stringbool()])

/** A whole number within bounds, in decimal digits where it is text. */
export const int = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\s*-?\d+\s*$/)
        .transform(Number),
    ])
    .pipe(z.number().int().min(min).max(max))

/** A TCP port; 0 asks the system for a free one. */
export const port = () => int(0, 65_535)

const metaOf = (schema: z.core.$ZodType): SettingMeta => {
  const meta = registry.get(schema)
  if (meta === undefined) throw new SentinelError('NS_INTERNAL', 'a setting was declared without setting()')
  return meta
}

const settingsOf = (part: Section) =>
  Object.entries(part.schema.shape).map(([key, schema]) => ({ key, schema, meta: metaOf(schema) }))

const invalid = (problems: string[]) =>
  new SentinelError('NS_CONFIG_INVALID', `the configuration is not valid:\n  ${problems.join('\n  ')}`)

const readConfigFile = (path: string): Record<string, unknown> => {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new SentinelError(
      'NS_CONFIG_INVALID',
      `NETSENTINEL_CONFIG: ${path} is not a readable JSON object`,
      { cause },
    )
  }
}

const fromEnvironment = (meta: SettingMeta, env: Environment, problems: string[]): string | undefined => {
  const direct = env[meta.env]
  const path = meta.secret ? env[`${meta.env}_FILE`] : undefined
  if (direct !== undefined && direct !== '' && path) {
    problems.push(`${meta.env}: both it and ${meta.env}_FILE are set; keep one`)
    return undefined
  }
  if (path) {
    try {
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      problems.push(`${meta.env}_FILE: ${messageOf(error)}`)
      return undefined
    }
  }
  // An empty variable counts as unset: that is how compose files and shells pass "nothing".
  return direct === '' ? undefined : direct
}

const explain = (issue: z.core.$ZodIssue, part: Section, given: Record<string, unknown>): string => {
  const key = String(issue.path[0] ?? '')
  if (issue.code === 'unrecognized_keys') return `${part.name}.${issue.keys.join(', ')}: no such setting`
  const { meta } = settingsOf(part).find(each => each.key === key) ?? { meta: undefined }
  const where = meta ? `${part.name}.${key} (${meta.env})` : part.name
  const what = given[key] === undefined ? 'is required' : describeIssue(issue)
  return meta?.secret
    ? `${where}: ${given[key] === undefined ? 'is required' : 'is not acceptable'}`
    : `${where}: ${what}`
}

const describeIssue = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_union' ? 'is not of the right type' : issue.message

/** Whether every one of these variables, or its `_FILE` form, carries a value. */
export const areSet = (names: readonly string[], env: Environment = process.env): boolean =>
  names.every(name => Boolean(env[name]) || Boolean(env[`${name}_FILE`]))

const read = <T extends Record<string, Section>>(
  sections: T,
  env: Environment,
  fallback: Environment,
  mayHoldOthers: boolean,
): { readonly [K in keyof T]: SectionValues<T[K]> } => {
  const path = env['NETSENTINEL_CONFIG']
  const file = path ? readConfigFile(path) : {}
  const problems: string[] = []
  const result: Record<string, unknown> = {}
  const known = new Set(Object.values(sections).map(part => part.name))
  const others = mayHoldOthers ? [] : Object.keys(file).filter(name => !known.has(name))
  for (const name of others) problems.push(`${name}: no such section`)
  for (const [name, part] of Object.entries(sections)) {
    const fromFile = z.record(z.string(), z.unknown()).safeParse(file[part.name] ?? {})
    if (!fromFile.success) {
      problems.push(`${part.name}: is not an object`)
      continue
    }
    const given: Record<string, unknown> = { ...fromFile.data }
    for (const { key, meta } of settingsOf(part)) {
      const value = fromEnvironment(meta, env, problems) ?? (key in given ? undefined : fallback[meta.env])
      if (value !== undefined) given[key] = value
    }
    const parsed = part.schema.safeParse(given)
    if (parsed.success) result[name] = Object.freeze(parsed.data)
    else problems.push(...parsed.error.issues.map(issue => explain(issue, part, given)))
  }
  if (problems.length > 0) throw invalid(problems)
  return Object.freeze(result) as { readonly [K in keyof T]: SectionValues<T[K]> }
}

/**
 * Reads the given sections once, from (strongest first) the environment, `*_FILE` secrets, the JSON file that
 * `NETSENTINEL_CONFIG` names, `fallback` (what is known of services that run here), and defaults. The result is frozen.
 *
 * Throws NS_CONFIG_INVALID with one line per problem: the key, the variable, what is wrong; never a secret's value.
 */
export const loadConfig = <T extends Record<string, Section>>(
  sections: T,
  env: Environment = process.env,
  fallback: Environment = {},
) => read(sections, env, fallback, false)

/** The same for who needs some sections only: it does not mind others in the file. */
export const loadPartOfConfig = <T extends Record<string, Section>>(
  sections: T,
  env: Environment = process.env,
) => read(sections, env, {}, true)

/** A copy of a configuration that may be shown: secrets are replaced by `[redacted]`. */
export const redactConfig = (
  sections: Record<string, Section>,
  config: Readonly<Record<string, object>>,
): Record<string, Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(sections).map(([name, part]) => {
      const secrets = new Set(settingsOf(part).flatMap(({ key, meta }) => (meta.secret ? [key] : [])))
      const values = Object.entries(config[name] ?? {})
      return [
        name,
        Object.fromEntries(values.map(([k, v]) => [k, secrets.has(k) && v !== undefined ? '[redacted]' : v])),
      ]
    }),
  )

const shown = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value))

const defaultOf = (schema: z.core.$ZodType): string | undefined => {
  const parsed = z.safeParse(schema, undefined)
  return parsed.success && parsed.data !== undefined ? shown(parsed.data) : undefined
}

const isOptional = (schema: z.core.$ZodType) => z.safeParse(schema, undefined).success

/** Renders docs/configuration.md from the sections. */
export const renderConfigMarkdown = (sections: readonly Section[]): string => {
  const lines = [
    '# Configuration',
    '',
    'Generated by `npm run generate` from the sections beside the code that reads them; a test fails when it is stale.',
    '',
    'Strongest first: the environment variable; for secrets, the file that `<VARIABLE>_FILE` names; the JSON file that',
    '`NETSENTINEL_CONFIG` names (`{"section": {"key": …}}`, unknown keys are errors); the default.',
    'An empty variable counts as unset. `netsentinel check` reads all of it and tries every connection.',
  ]
  for (const part of sections) {
    lines.push('', `## ${part.name}`, '', '| key | variable | default | meaning |', '|---|---|---|---|')
    for (const { key, schema, meta } of settingsOf(part)) {
      const value = defaultOf(schema)
      const fallback =
        value === undefined
          ? isOptional(schema)
            ? 'none'
            : '**required**'
          : `\`${value === '' ? '(empty)' : value}\``
      const doc = meta.secret ? `${meta.doc} Secret: \`${meta.env}_FILE\` also works.` : meta.doc
      lines.push(`| \`${key}\` | \`${meta.env}\` | ${fallback} | ${doc.replaceAll('|', '\\|')} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** Renders .env.example from the sections: every variable, commented out, with its default. */
export const renderEnvExample = (sections: readonly Section[]): string => {
  const lines = [
    '# Every variable that NetSentinel reads, with its default. Generated by `npm run generate`.',
  ]
  for (const part of sections) {
    lines.push('', `# --- ${part.name}`)
    for (const { schema, meta } of settingsOf(part)) {
      lines.push(`# ${meta.doc}`, `#${meta.env}=${meta.secret ? '' : (defaultOf(schema) ?? '')}`)
    }
  }
  return `${lines.join('\n')}\n`
}
