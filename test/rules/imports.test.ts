import { describe, expect, it } from '@jest/globals'
import { filesEndingIn, readText } from './files.ts'
import { importProblems, importsOf, PACKAGES } from './import-rules.ts'

const sources = filesEndingIn('.ts')

describe('imports', () => {
  it('are looked at in every folder', () => {
    const folders = new Set(sources.map(({ path }) => path.split('/')[0]))
    for (const folder of ['runtime', 'schemas', 'connectors', 'models', 'pipelines', 'gateway', 'main.ts']) {
      expect(folders).toContain(folder)
    }
  })

  it('point down only, and each outside package is imported in one place', () => {
    expect(sources.flatMap(({ path, text }) => importProblems(path, text))).toEqual([])
  })

  it('have a place for each package that the program depends on, and for no other', () => {
    const { dependencies } = JSON.parse(readText('package.json')) as { dependencies: object }
    // patch-package is a program that npm runs after an installation.
    const imported = Object.keys(dependencies).filter(name => name !== 'patch-package')
    expect(Object.keys(PACKAGES).toSorted()).toEqual(imported.toSorted())
  })

  it('name files of this repository by their real path', () => {
    const paths = new Set(sources.map(({ path }) => path))
    const missing = sources
      .filter(({ path }) => path !== 'test/rules/imports.test.ts')
      .flatMap(({ path, text }) =>
        importsOf(text)
          .filter(specifier => specifier.startsWith('.') && specifier.endsWith('.ts'))
          .map(specifier => new URL(specifier, `file:///${path}`).pathname.slice(1))
          .filter(target => !paths.has(target))
          .map(target => `${path} imports ${target}`),
      )
    expect(missing).toEqual([])
  })
})

describe('importsOf', () => {
  it.each([
    ["import { a } from './a.ts'", './a.ts'],
    ["import type { A } from './a.ts'", './a.ts'],
    ["import {\n  a,\n  type B,\n} from './a.ts'", './a.ts'],
    ["import a, * as b from '../a.ts'", '../a.ts'],
    ["import './a.ts'", './a.ts'],
    ["export { a } from './a.ts'", './a.ts'],
    ["export * from './a.ts'", './a.ts'],
    ["const { a } = await import('./a.ts')", './a.ts'],
    ["let a: import('./a.ts').A", './a.ts'],
    ["const a = require('a')", 'a'],
    ["new Worker(new URL('./a.worker.ts', import.meta.url))", './a.worker.ts'],
  ])('finds %j', (text, expected) => {
    expect(importsOf(`${text}\n`)).toEqual([expected])
  })

  it('finds each of several, and nothing in other text', () => {
    const text = "import a from 'a'\nimport { b } from 'b'\nconst c = 'from d'\nArray.from('e')\n"
    expect(importsOf(text)).toEqual(['a', 'b'])
  })
})

describe('importProblems', () => {
  it.each([
    ['runtime/log.ts', '../schemas/topics.ts', 'runtime may not import schemas'],
    ['schemas/avro.ts', '../connectors/registry.ts', 'schemas may not import connectors'],
    ['connectors/redis.ts', '../models/detector.ts', 'connectors may not import models'],
    ['models/onnx/graph.ts', '../../connectors/redis.ts', 'models may not import connectors'],
    ['pipelines/ingest/a.ts', '../../gateway/config.ts', 'pipelines may not import gateway'],
    ['gateway/sockets/a.ts', '../../pipelines/scoring/a.ts', 'gateway may not import pipelines'],
    ['gateway/a.ts', '../main.ts', 'gateway may not import main.ts'],
    ['connectors/a.test.ts', '../pipelines/ingest/a.ts', 'connectors may not import pipelines'],
    ['connectors/a.ts', '../test/support/events.ts', 'connectors may not import test'],
    ['stray.ts', './runtime/log.ts', 'stray.ts is in no layer'],
    ['pipelines/a.ts', 'kafkajs', 'its place is connectors/kafka/'],
    ['connectors/registry.ts', 'ioredis', 'its place is connectors/redis.ts'],
    ['gateway/a.ts', '@kafkajs/confluent-schema-registry/dist/x.js', 'its place is connectors/registry.ts'],
    ['gateway/a.ts', 'left-pad', 'give it a place'],
    ['gateway/a.ts', 'fast-check', 'it is for tests'],
  ])('refuses %s importing %s', (path, specifier, reason) => {
    for (const text of [`import type { A } from '${specifier}'`, `await import('${specifier}')`]) {
      expect(importProblems(path, text)).toEqual([expect.stringContaining(reason)])
    }
  })

  it.each([
    ['main.ts', './pipelines/ingest/command.ts'],
    ['main.ts', './gateway/command.ts'],
    ['gateway/a.ts', '../runtime/log.ts'],
    ['pipelines/scoring/a.ts', '../ingest/b.ts'],
    ['pipelines/scoring/a.ts', '../../models/detector.ts'],
    ['connectors/kafka/a.ts', 'kafkajs'],
    ['connectors/a.test.ts', '../test/contract/detector.ts'],
    ['connectors/a.test.ts', 'ajv/dist/2020.js'],
    ['test/e2e/a.test.ts', 'ws'],
    ['gateway/a.ts', 'node:net'],
  ])('allows %s importing %s', (path, specifier) => {
    expect(importProblems(path, `import { a } from '${specifier}'`)).toEqual([])
  })
})
