import { writeFileSync } from 'node:fs'
import { loadBaseline } from '../../models/baseline/load.ts'
import { readModelKeys } from '../../models/registry/keys.ts'
import type { HeldModel } from '../../models/registry/ledger.ts'
import type { Command, CommandContext } from '../../runtime/command.ts'
import { isSentinelError, messageOf, SentinelError } from '../../runtime/errors.ts'
import { EXIT } from '../../runtime/lifecycle.ts'
import { openVerdicts, precisionLines } from '../retraining/verdicts.ts'
import { readImport } from './import.ts'
import { assertServable, registryOf } from './open.ts'
import { completeForeign, type ReferenceConfig } from './reference.ts'
import type { ModelRegistry, RegistryView } from './registry.ts'
import { listLines, modelJson, modelLines } from './show.ts'
import { unlessAway } from './unless-away.ts'

/** What each action works on. */
interface Work {
  readonly action: string
  readonly context: CommandContext<ReferenceConfig>
  readonly registry: ModelRegistry
  /** The operand after the action, if there is one. */
  readonly operand: string | undefined
}

const usage = (message: string) => new SentinelError('NS_USAGE', `models ${message}`)

const operandOf = ({ action, operand }: Work, what: string): string => {
  if (operand === undefined) throw usage(`${action}: name ${what}`)
  return operand
}

const optionOf = ({ action, context }: Work, name: string, what: string): string => {
  const value = context.options[name]
  if (typeof value !== 'string' || value === '') throw usage(`${action}: --${name} takes ${what}`)
  return value
}

const reasonOf = ({ context }: Work, fallback: string): string => {
  const reason = context.options['reason']
  return typeof reason === 'string' && reason !== '' ? reason : fallback
}

/** Why a version cannot be served: it is read and tried, as a scorer would. */
const refusalOf = async (
  registry: ModelRegistry,
  view: RegistryView,
  { version, problem }: HeldModel,
): Promise<string | undefined> => {
  if (problem !== undefined) return problem
  try {
    await assertServable(await registry.read(version, view))
    return undefined
  } catch (error) {
    if (isSentinelError(error, 'NS_MODEL_REFUSED')) return error.message
    throw error
  }
}

const list = async ({ context, registry }: Work): Promise<number> => {
  const view = await registry.list()
  const models: HeldModel[] = []
  for (const model of view.models()) {
    models.push({ ...model, problem: await refusalOf(registry, view, model) })
  }
  const lines =
    context.options['json'] === true
      ? models.map(model => modelJson(view, model))
      : listLines(view, models, loadBaseline().manifest.version)
  for (const line of lines) context.print(line)
  return EXIT.ok
}

const show = async (work: Work): Promise<number> => {
  const { context, registry } = work
  const version = operandOf(work, 'a version')
  const view = await registry.list()
  const model = view.model(version)
  if (model === undefined)
    throw usage(`show: there is no model ${version}; models list shows those that there are`)
  const refused = await refusalOf(registry, view, model)
  if (context.options['json'] === true) context.print(modelJson(view, { ...model, problem: refused }))
  else {
    for (const line of modelLines(view, model, refused)) context.print(line)
    const verdicts = await unlessAway('verdicts', context.tell, async () => (await openVerdicts(context))())
    const found = verdicts?.byVersion.get(version)
    if (found !== undefined) for (const line of ['', ...precisionLines(version, found)]) context.print(line)
  }
  return refused === undefined ? EXIT.ok : EXIT.failure
}

const importModel = async (work: Work): Promise<number> => {
  const onnx = operandOf(work, 'an ONNX file')
  const read = readImport({
    onnx,
    manifest: optionOf(work, 'manifest', 'the file of the manifest'),
  })
  await assertServable(read)
  const isComplete = read.manifest.foreign === undefined || read.manifest.training !== undefined
  const model = isComplete ? read : await completeForeign(work.context, read)
  const { manifest } = await work.registry.publish(model, {
    parent: null,
    window: null,
    metrics: {},
    report: null,
  })
  work.context.print(manifest.version)
  return EXIT.ok
}

const promote = async (work: Work): Promise<number> => {
  const version = operandOf(work, 'a version')
  await assertServable(await work.registry.read(version))
  const pointer = await work.registry.point('champion', version, reasonOf(work, 'promoted by hand'))
  work.context.print(`${version} is champion, sequence ${pointer.sequence}`)
  return EXIT.ok
}

const rollback = async (work: Work): Promise<number> => {
  const pointer = await work.registry.rollback(reasonOf(work, 'rolled back by hand'))
  work.context.print(`${pointer.version} is champion again, sequence ${pointer.sequence}`)
  return EXIT.ok
}

const exportModel = async (work: Work): Promise<number> => {
  const version = operandOf(work, 'a version')
  const out = optionOf(work, 'out', 'the file to write')
  const { onnx, manifest } = await work.registry.read(version)
  try {
    writeFileSync(out, onnx)
    writeFileSync(`${out}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  } catch (cause) {
    throw new SentinelError('NS_USAGE', `models export: ${messageOf(cause)}`, { cause })
  }
  work.context.print(`${out} and ${out}.manifest.json`)
  return EXIT.ok
}

const key = async ({ context }: Work): Promise<number> => {
  const { publicKey } = readModelKeys(context.config.models, context.config.data.dir)
  if (publicKey === undefined) throw usage('key: there is no signing key here, only public ones')
  context.print(publicKey)
  return EXIT.ok
}

const ACTIONS: Readonly<Record<string, (work: Work) => Promise<number>>> = {
  list,
  show,
  import: importModel,
  promote,
  rollback,
  export: exportModel,
  key,
}

/** `netsentinel models`. */
export const models: Command<ReferenceConfig> = {
  summary: 'List, show, import, promote, roll back and export models.',
  operands: 'list | show V | import FILE | promote V | rollback | export V | key',
  details: [
    'list      the versions that the registry holds, each tried as a scorer would, and which of them is in force',
    'show      all that is known of a version, and what analysts found of its threats',
    'import    add a model: an ONNX file, and what its manifest says of it; prints its version',
    'promote   put a version in force: scorers take it between two batches',
    'rollback  put the champion before this one in force again',
    'export    write a version as FILE and FILE.manifest.json, as import takes them',
    'key       print the public key for MODELS_PUBLIC_KEYS of scorers elsewhere',
    '',
    'What is imported and promoted is signed: docs/models.md.',
  ].join('\n'),
  options: {
    manifest: { type: 'string', value: 'FILE', doc: 'Import: the manifest of the model, JSON.' },
    out: { type: 'string', value: 'FILE', doc: 'Export: the file to write.' },
    reason: { type: 'string', value: 'TEXT', doc: 'Promote, rollback: why, for those who read it later.' },
    json: { type: 'boolean', doc: 'List, show: one line of JSON for each version.' },
  },
  run: async context => {
    const [action = '', operand, ...rest] = context.operands
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined
    if (run === undefined) throw usage(`takes one of: ${Object.keys(ACTIONS).join(', ')}`)
    if (rest.length > 0) throw usage(`${action}: unexpected argument '${rest[0]}'`)
    const work = { action, context, operand, registry: registryOf(context.config, context.log) }
    return run(work)
  },
}
