import { SentinelError } from '../../runtime/errors.ts'
import { bytesField, encode, type Field } from './protobuf.ts'
import { fieldsIn, type WireField } from './protobuf-reader.ts'

/*
 * Fields of onnx/onnx.proto3 that are read here: ModelProto 7 graph; GraphProto 1 node, 5 initializer, 12 output;
 * NodeProto 1 input, 2 output; TensorProto 8 name; ValueInfoProto 1 name.
 */
const GRAPH = 7
const NODE = 1
const INITIALIZER = 5
const OUTPUT = 12

const refuse = (reason: string) => new SentinelError('NS_MODEL_REFUSED', reason)

const textsOf = (message: WireField, number: number): string[] => {
  const texts: string[] = []
  for (const field of fieldsIn(message.bytes ?? new Uint8Array()))
    if (field.number === number) texts.push(Buffer.from(field.bytes ?? []).toString('utf8'))
  return texts
}

const pruneGraph = (graph: Uint8Array, outputs: ReadonlySet<string>): Uint8Array => {
  const fields = [...fieldsIn(graph)]
  const named = new Set(fields.filter(({ number }) => number === OUTPUT).flatMap(field => textsOf(field, 1)))
  const missing = [...outputs].filter(name => !named.has(name))
  if (missing.length > 0) throw refuse(`the model has no output ${missing.join(', ')}`)
  const needed = new Set(outputs)
  const kept = new Set<WireField>()
  // Nodes stand in the order in which they run, so that one pass from the end meets each after all who need it.
  for (const field of fields.toReversed()) {
    if (field.number !== NODE || !textsOf(field, 2).some(name => needed.has(name))) continue
    kept.add(field)
    for (const name of textsOf(field, 1)) needed.add(name)
  }
  const isKept = (field: WireField): boolean => {
    if (field.number === NODE) return kept.has(field)
    if (field.number === INITIALIZER) return textsOf(field, 8).some(name => needed.has(name))
    if (field.number === OUTPUT) return textsOf(field, 1).some(name => outputs.has(name))
    return true
  }
  return encode(...fields.filter(isKept).map((field): Field => [field.whole]))
}

/**
 * The model without what only other outputs than these need: the runtime computes every node of a graph, whichever outputs
 * are asked for. What is left gives the same bits as before. Throws NS_MODEL_REFUSED for what is no ONNX file and for an output that it
 * does not have.
 */
export const keepOutputs = (onnx: Uint8Array, outputs: readonly string[]): Uint8Array => {
  const names = new Set(outputs)
  const fields = [...fieldsIn(onnx)]
  if (!fields.some(field => field.number === GRAPH))
    throw refuse('the file is no ONNX model: it has no graph')
  return encode(
    ...fields.map(
      (field): Field =>
        field.number === GRAPH && field.bytes !== undefined
          ? bytesField(GRAPH, pruneGraph(field.bytes, names))
          : [field.whole],
    ),
  )
}
