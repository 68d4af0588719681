import { describe, expect, it } from '@jest/globals'
import { loadBaseline } from '../../models/baseline/load.ts'
import { observe } from '../../models/features/observe.ts'
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
    expect(detector.manifest.version).toBe('baseline-2')
  })

  it('finds threats in the capture, one event in ten, of every source, and says why', async () => {
    const observations = observe(await captureEvents())
    const detector = await createOnnxDetector(loadBaseline())
    const analyses = await detector.analyze(observations)
    await detector.close()
    const threats = observations
      .map(({ event }, i) => ({ source: event.source, ...analyses[i] }))
      .filter(({ score = 0 }) => score >= detector.manifest.threshold)
    expect(threats.length / observations.length).toBeGreaterThan(0.01)
    expect(threats.length / observations.length).toBeLessThan(0.15)
    const sources = new Set(threats.map(({ source }) => source))
    expect([...sources].toSorted()).toEqual(['cowrie', 'opencanary', 'suricata', 'zeek'])
    for (const { contributions = [] } of threats) expect(contributions.length).toBeGreaterThan(0)
  })

  it('learnt from events of all four sources', async () => {
    const sources = new Set((await captureEvents()).map(event => event.source))
    expect([...sources].toSorted()).toEqual(['cowrie', 'opencanary', 'suricata', 'zeek'])
  })
})
