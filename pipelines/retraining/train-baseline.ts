import { writeFileSync } from 'node:fs'
import { BASELINE } from '../../models/baseline/load.ts'
import { trainBaseline } from './baseline.ts'

const { manifest, onnx } = await trainBaseline()
writeFileSync(BASELINE.onnx, onnx)
writeFileSync(BASELINE.manifest, `${JSON.stringify(manifest, null, 2)}\n`)
process.stdout.write(
  `${manifest.version}: ${manifest.rows} events, threshold ${manifest.threshold}, sha256 ${manifest.sha256}\n`,
)
