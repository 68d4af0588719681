import {
  bytesField,
  encode,
  type Field,
  floatBytes,
  int64Bytes,
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

/** A constant of a graph: float32 or int64. */
export interface Constant {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array | BigInt64Array
}

/** A piece of a graph: nodes in the order they run, and the constants that they use. */
export interface Part {
  readonly nodes: readonly Node[]
  readonly constants: readonly Constant[]
}

/** A float32 input or output; a text in the shape is a dimension that each call may choose. */
export interface Port {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** A graph. */
export interface Graph extends Part {
  readonly name: string
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** Free texts that travel with the model. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** The tree operators' domain. */
export const ML_DOMAIN = 'ai.onnx.ml'

/*
 * The messages of onnx/onnx.proto3 and the numbers of their fields, as far as they are written here:
 *
 *   ModelProto      1 ir_version, 2 producer_name, 7 graph, 8 opset_import, 14 metadata_props
 *   GraphProto      1 node, 2 name, 5 initializer, 11 input, 12 output
 *   NodeProto       1 input, 2 output, 4 op_type, 5 attribute, 7 domain
 *   AttributeProto  1 name, 3 i, 4 s, 7 floats, 8 ints, 9 strings, 20 type (2 INT, 3 STRING, 6 FLOATS, 7 INTS, 8 STRINGS)
 *   TensorProto     1 dims, 2 data_type (1 FLOAT, 7 INT64), 8 name, 9 raw_data, little-endian
 *   ValueInfoProto  1 name, 2 type → TypeProto 1 tensor_type → 1 elem_type, 2 shape → 1 dim → 1 dim_value or 2 dim_param
 *   OperatorSetId   1 domain, 2 version
 *   StringString    1 key, 2 value
 *
 * How a field is written on the wire is in protobuf.ts.
 */
const IR_VERSION = 8
const OPSET = 17
const ML_OPSET = 3
const FLOAT = 1
const INT64 = 7

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

const constantField = ({ name, shape, values }: Constant): Field =>
  messageField(
    5,
    packedInts(1, shape),
    intField(2, values instanceof Float32Array ? FLOAT : INT64),
    textField(8, name),
    bytesField(9, values instanceof Float32Array ? floatBytes(values) : int64Bytes(values)),
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
