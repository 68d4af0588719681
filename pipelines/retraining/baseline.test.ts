import { describe, expect, it } from '@jest/globals'
import { loadBaseline } from '../../models/baseline/load.ts'
import { createOnnxDetector } from '../../models/onnx/onnx-detector.ts'
import { captureEvents, trainBaseline } from './baseline.ts'

describe('the model that ships', () => {
  it('is what training on the bundled capture gives, byte for byte: else run npm run train:baseline', async () => {
    const [trained, shipped] = [await trainBaseline(), loadBaseline()]
    expect(trained.manifest).toEqual(shipped.manifest)
    expect(Buffer.compare(trained.onnx, shipped.onnx)).toBe(0)
  })

  it('is accepted by the detector', async () => {
    const detector = await createOnnxDetector(loadBaseline())
    await detector.close()
    expect(detector.manifest.version).toBe('baseline-1')
  })

  it('learnt from events of all four sources', async () => {
    const sources = new Set((await captureEvents()).map(event => event.source))
    expect([...sources].toSorted()).toEqual(['cowrie', 'opencanary', 'suricata', 'zeek'])
  })
})
