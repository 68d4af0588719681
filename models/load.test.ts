import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { BASELINE, loadBaseline } from './baseline/load.ts'
import { loadModel } from './load.ts'

describe('a model in a folder', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'netsentinel-model-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('is its manifest and its graph', () => {
    copyFileSync(BASELINE.manifest, join(dir, 'manifest.json'))
    copyFileSync(BASELINE.onnx, join(dir, 'model.onnx'))
    expect(loadModel(dir)).toEqual(loadBaseline())
  })

  it('is refused when a file is missing, is not JSON, or is no manifest', () => {
    const refused = expect.objectContaining({ code: 'NS_MODEL_REFUSED' })
    expect(() => loadModel(join(dir, 'none'))).toThrow(refused)
    copyFileSync(BASELINE.manifest, join(dir, 'manifest.json'))
    expect(() => loadModel(dir)).toThrow(/model\.onnx/)
    copyFileSync(BASELINE.onnx, join(dir, 'model.onnx'))
    for (const text of ['{', '{"version":"x"}']) {
      writeFileSync(join(dir, 'manifest.json'), text)
      expect(() => loadModel(dir)).toThrow(refused)
    }
  })
})
