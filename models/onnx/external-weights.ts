import { SentinelError } from '../../runtime/errors.ts'
import { bytesField, encode, type Field } from './protobuf.ts'
import { fieldsIn, type WireField } from './protobuf-reader.ts'

/*
 * Where tensors are in onnx/onnx.proto3, by message and number of the field:
 *
 *   ModelProto 7 graph, 25 functions; GraphProto 1 node, 5 initializer; FunctionProto 7 node; NodeProto 5 attribute;
 *   AttributeProto 5 t, 6 g, 10 tensors, 11 graphs
 *   TensorProto 9 raw_data, 13 external_data (StringStringEntry 1 key, 2 value: location, offset, length),
 *   14 data_location (1 EXTERNAL)
 */
type Kind = 'model' | 'graph' | 'function' | 'node' | 'attribute' | 'tensor'

const PARTS: Readonly<Record<Exclude<Kind, 'tensor'>, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
}
const RAW_DATA = 9
const EXTERNAL_DATA = 13
const DATA_LOCATION = 14
const EXTERNAL = 1n

/** Gives the bytes of a file that a model names beside itself. Throws NS_MODEL_REFUSED when there is none. */
export type ReadWeights = (name: string) => Uint8Array

const refuse = (reason: string) => new SentinelError('NS_MODEL_REFUSED', reason)

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')

const entryOf = (field: WireField): [key: string, value: string] => {
  const parts = [...fieldsIn(field.bytes ?? new Uint8Array())]
  return [
    text(parts.find(part => part.number === 1)?.bytes),
    text(parts.find(part => part.number === 2)?.bytes),
  ]
}

/** A file's name alone: a model must not be able to name a file anywhere else. */
const assertBareName = (name: string): void => {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name))
    throw refuse(`its weights are to be read from ${JSON.stringify(name)}, which is not a file beside it`)
}

const inlineTensor = (fields: readonly WireField[], read: ReadWeights): Field[] => {
  const where = new Map(fields.filter(field => field.number === EXTERNAL_DATA).map(entryOf))
  const name = where.get('location') ?? ''
  assertBareName(name)
  const file = read(name)
  const offset = Number(where.get('offset') ?? 0)
  const length = Number(where.get('length') ?? file.length - offset)
  if (!(offset >= 0 && length >= 0 && offset + length <= file.length))
    throw refuse(`${name} has ${file.length} bytes; weights are to be at ${offset} to ${offset + length}`)
  const kept = fields.filter(({ number }) => ![RAW_DATA, EXTERNAL_DATA, DATA_LOCATION].includes(number))
  return [...kept.map(field => [field.whole]), bytesField(RAW_DATA, file.subarray(offset, offset + length))]
}

/** The message with the weights of all tensors in it; the very same bytes where none are elsewhere. */
const inline = (message: Uint8Array, kind: Kind, read: ReadWeights): Uint8Array => {
  const fields = [...fieldsIn(message)]
  if (kind === 'tensor') {
    const isElsewhere = fields.some(field => field.number === DATA_LOCATION && field.int === EXTERNAL)
    return isElsewhere ? encode(...inlineTensor(fields, read)) : message
  }
  let changed = false
  const parts = fields.map((field): Field => {
    const part = PARTS[kind][field.number]
    if (part === undefined || field.bytes === undefined) return [field.whole]
    const inlined = inline(field.bytes, part, read)
    if (inlined === field.bytes) return [field.whole]
    changed = true
    return bytesField(field.number, inlined)
  })
  return changed ? encode(...parts) : message
}

/**
 * Puts weights that an ONNX model keeps in files beside it into the model itself (what a plain export of PyTorch or Anomalib
 * leaves are two files). A model without any is returned as it is.
 *
 * Throws NS_MODEL_REFUSED for what is no ONNX file, for a name that is not that of a file beside it, and for weights that are
 * not in the file.
 */
export const inlineWeights = (onnx: Uint8Array, read: ReadWeights): Uint8Array => inline(onnx, 'model', read)
