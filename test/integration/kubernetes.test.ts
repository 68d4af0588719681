import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from '@jest/globals'
import { findPythonPackage, runPython } from '../support/python-package.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'deploy/kubernetes')

const manifests = readdirSync(FOLDER).map(file => ({
  path: join(FOLDER, file),
  text: readFileSync(join(FOLDER, file), 'utf8'),
}))

const found = await findPythonPackage('kubernetes-validate==1.37.0')

const validate = async (paths: readonly string[]) => {
  if ('missing' in found) throw new Error(found.missing)
  const program = 'from kubernetes_validate.__main__ import main; main()'
  const { stdout, stderr } = await runPython(found.folder, ['-c', program, '--strict', ...paths])
  return stdout + stderr
}

it(
  'missing' in found
    ? 'NOT RUN, for kubernetes-validate cannot be had: manifests fit the schemas of Kubernetes'
    : 'manifests fit the schemas of Kubernetes',
  async () => {
    if ('missing' in found) return
    const kinds = manifests.flatMap(({ text }) => [...text.matchAll(/^kind: (\w+)/gm)])
    const report = await validate(manifests.map(({ path }) => path))
    expect(report.match(/passed for resource/g)).toHaveLength(kinds.length)
  },
)

it('sets only variables that there are', () => {
  const known = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')
  const names = manifests.flatMap(({ text }) => [
    ...[...text.matchAll(/\bname: ([A-Z][A-Z_]+)\b/g)].map(([, name = '']) => name),
    ...[...text.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name = '']) => name),
  ])
  expect(names.length).toBeGreaterThan(20)
  const unknown = names.filter(name => name !== 'NODE_OPTIONS' && !known.includes(`\`${name}\``))
  expect(unknown.filter(name => !known.includes(`\`${name.replace(/_FILE$/, '')}\``))).toEqual([])
})
