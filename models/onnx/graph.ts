import {
  bytesField,
  encode,
  type Field,
  floatBytes,
  intField,
  messageField,
  packedFloats,
  packedInts,
  textField,
} from './protobuf.ts'

/** An attribute of a node; the type decides how it is written. */
export type Attribute =
  | { readonly name: string; readonly int: number }
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly ints: Iterable<number> }
  | { readonly name: string; readonly floats: Float32Array }
  | { readonly name: string; readonly texts: readonly string[] }

/** One operator of a graph. */
export interface Node {
  readonly op: string
  /** Operator domain; the default one when absent. */
  readonly domain?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: readonly Attribute[]
}

/** A float32 constant of a graph. */
export interface Constant {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** A float32 input or output; a text in the shape is a dimension that each call may choose. */
export interface Port {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** A graph: nodes in the order they run. */
export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly constants: readonly Constant[]
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** Free texts that travel with the model. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** The tree operators' domain. */
export const ML_DOMAIN = 'ai.onnx.ml'

// Field numbers below are those of onnx/onnx.proto3; versions: IR 8, opset 17, ai.onnx.ml 3.
const IR_VERSION = 8
const OPSET = 17
const ML_OPSET = 3
const FLOAT = 1

const attributeField = (attribute: Attribute): Field => {
  const name = textField(1, attribute.name)
  if ('int' in attribute) return messageField(5, name, intField(3, attribute.int), intField(20, 2))
  if ('text' in attribute) return messageField(5, name, textField(4, attribute.text), intField(20, 3))
  if ('floats' in attribute) return messageField(5, name, packedFloats(7, attribute.floats), intField(20, 6))
  if ('ints' in attribute) return messageField(5, name, packedInts(8, attribute.ints), intField(20, 7))
  return messageField(5, name, ...attribute.texts.map(text => textField(9, text)), intField(20, 8))
}

const nodeField = (node: Node): Field =>
  messageField(
    1,
    ...node.inputs.map(input => textField(1, input)),
    ...node.outputs.map(output => textField(2, output)),
    textField(4, node.op),
    ...(node.attributes ?? []).map(attributeField),
    ...(node.domain === undefined ? [] : [textField(7, node.domain)]),
  )

const constantField = (constant: Constant): Field =>
  messageField(
    5,
    packedInts(1, constant.shape),
    intField(2, FLOAT),
    textField(8, constant.name),
    bytesField(9, floatBytes(constant.values)),
  )

const portField = (number: number, { name, shape }: Port): Field => {
  const dimensions = shape.map(dim =>
    messageField(1, typeof dim === 'number' ? intField(1, dim) : textField(2, dim)),
  )
  const tensor = messageField(1, intField(1, FLOAT), messageField(2, ...dimensions))
  return messageField(number, textField(1, name), messageField(2, tensor))
}

const opsetField = (domain: string, version: number): Field =>
  messageField(8, textField(1, domain), intField(2, version))

/** The bytes of an ONNX file (ModelProto) with this graph. The same graph gives the same bytes. */
export const encodeModel = (graph: Graph): Uint8Array =>
  encode(
    intField(1, IR_VERSION),
    textField(2, 'netsentinel'),
    messageField(
      7,
      ...graph.nodes.map(nodeField),
      textField(2, graph.name),
      ...graph.constants.map(constantField),
      ...graph.inputs.map(port => portField(11, port)),
      ...graph.outputs.map(port => portField(12, port)),
    ),
    opsetField('', OPSET),
    opsetField(ML_DOMAIN, ML_OPSET),
    ...Object.entries(graph.metadata ?? {}).map(([key, value]) =>
      messageField(14, textField(1, key), textField(2, value)),
    ),
  )
