import { LIMIT, type Normaliser } from '../trainers/normaliser.ts'
import type { Part } from './graph.ts'

/** Rows × features in, the same in deviations from the mean out. `prefix` begins the names of what is in between. */
export const normaliserPart = (
  prefix: string,
  { means, scales }: Normaliser,
  input: string,
  output: string,
): Part => ({
  nodes: [
    { op: 'Sub', inputs: [input, `${prefix}means`], outputs: [`${prefix}distances`] },
    { op: 'Mul', inputs: [`${prefix}distances`, `${prefix}scales`], outputs: [`${prefix}deviations`] },
    { op: 'Clip', inputs: [`${prefix}deviations`, `${prefix}lowest`, `${prefix}highest`], outputs: [output] },
  ],
  constants: [
    { name: `${prefix}means`, shape: [means.length], values: means },
    { name: `${prefix}scales`, shape: [scales.length], values: scales },
    { name: `${prefix}lowest`, shape: [], values: Float32Array.of(-LIMIT) },
    { name: `${prefix}highest`, shape: [], values: Float32Array.of(LIMIT) },
  ],
})
