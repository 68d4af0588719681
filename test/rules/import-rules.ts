import { posix } from 'node:path'

/** Layers from the bottom up. A file imports its own folder and lower layers, never one beside it. */
const LAYERS = [['runtime'], ['schemas'], ['connectors', 'models'], ['pipelines', 'gateway'], ['main.ts']]

/** What sets files up or measures them, and may use everything. */
const TOOLS = ['test/', 'bench/', 'jest.config.ts']

/** What any test file may use beside what its folder may. */
const TEST_HELPERS = ['test/support/', 'test/contract/']

/** Where each outside package may be imported: files, or folders ending in a slash. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['connectors/kafka/'],
  '@kafkajs/confluent-schema-registry': ['connectors/registry.ts'],
  ioredis: ['connectors/redis.ts'],
  bullmq: ['connectors/queue.ts', 'connectors/queue-events.ts', 'connectors/solo-queue.ts'],
  nodemailer: ['connectors/notifiers/mail.ts'],
  avsc: [
    'connectors/avro-codec.ts',
    'connectors/avro-codec.test.ts',
    'schemas/history.ts',
    'schemas/avro.test.ts',
    'pipelines/scoring/judged-events.test.ts',
    'pipelines/scoring/written-states.test.ts',
  ],
  ws: ['gateway/sockets/', 'gateway/client/'],
  fastify: ['gateway/'],
  '@fastify/helmet': ['gateway/'],
  '@fastify/jwt': ['gateway/'],
  '@fastify/under-pressure': ['gateway/'],
  '@node-rs/argon2': ['gateway/auth/'],
  pg: ['gateway/store/'],
  'onnxruntime-node': ['models/onnx/'],
  pino: ['runtime/log.ts'],
  'prom-client': ['runtime/metrics.ts'],
  yaml: ['models/rules/documents.ts'],
  zod: ['runtime/', 'schemas/', 'connectors/', 'models/', 'pipelines/', 'gateway/', 'main.ts'],
}

/** Packages of tests. */
const TEST_PACKAGES = [
  '@jest/globals',
  'fast-check',
  'ajv',
  '@seriousme/openapi-schema-validator',
  '@asyncapi/specs',
]

const SPECIFIER =
  /(?:^|[;}\s])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]|\brequire\s*\(\s*['"]([^'"]+)['"]|\bnew URL\(\s*['"](\.[^'"]*\.ts)['"]/g

/** Everything that a source file imports: statically, as a type, dynamically, re-exported, or as a worker's file. */
export const importsOf = (text: string): string[] =>
  [...text.matchAll(SPECIFIER)].flatMap(groups => groups.slice(1).filter(group => group !== undefined))

const isIn = (path: string, places: readonly string[]): boolean =>
  places.some(place => (place.endsWith('/') ? path.startsWith(place) : path === place))

const layerOf = (path: string): number =>
  LAYERS.findIndex(names => names.includes(path.split('/')[0] ?? path))

const arrowProblem = (from: string, to: string): string | undefined => {
  if (from.endsWith('.test.ts') && isIn(to, TEST_HELPERS)) return undefined
  if (from === 'main.ts' && layerOf(to) < layerOf(from) && layerOf(to) >= 0) return undefined
  const [fromTop, toTop] = [from.split('/')[0], to.split('/')[0]]
  if (layerOf(from) < 0) return `${from} is in no layer`
  if (fromTop === toTop) return undefined
  return layerOf(to) >= 0 && layerOf(to) < layerOf(from)
    ? undefined
    : `${from} imports ${to}: ${fromTop} may not import ${toTop}`
}

const packageProblem = (from: string, name: string): string | undefined => {
  if (TEST_PACKAGES.includes(name)) {
    return from.endsWith('.test.ts') ? undefined : `${from} imports ${name}: it is for tests`
  }
  const places = PACKAGES[name]
  if (places === undefined) return `${from} imports ${name}: give it a place in test/rules/import-rules.ts`
  return isIn(from, places) ? undefined : `${from} imports ${name}: its place is ${places.join(', ')}`
}

/** `@scope/name/file` → `@scope/name`, `name/file` → `name`. */
const packageName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** What is wrong with the imports of one source file; `path` is from the root of the repository. */
export const importProblems = (path: string, text: string): string[] => {
  if (isIn(path, TOOLS)) return []
  return importsOf(text).flatMap(specifier => {
    if (specifier.startsWith('node:')) return []
    const problem = specifier.startsWith('.')
      ? arrowProblem(path, posix.join(posix.dirname(path), specifier))
      : packageProblem(path, packageName(specifier))
    return problem ?? []
  })
}
