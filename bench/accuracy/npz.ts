import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

/** An array of NumPy: its shape, and its values in the order of rows whatever order the file has them in. */
export interface NumpyArray {
  readonly shape: readonly number[]
  readonly values: Float64Array
}

/** Readers of a value at a place, by the type that a header names (little-endian or one byte). */
const READERS: Readonly<Record<string, [size: number, read: (view: DataView, at: number) => number]>> = {
  '<f8': [8, (view, at) => view.getFloat64(at, true)],
  '<f4': [4, (view, at) => view.getFloat32(at, true)],
  '<i8': [8, (view, at) => Number(view.getBigInt64(at, true))],
  '<i4': [4, (view, at) => view.getInt32(at, true)],
  '|u1': [1, (view, at) => view.getUint8(at)],
  '|b1': [1, (view, at) => view.getUint8(at)],
}

/** Reads a .npy file of one or two dimensions (NEP 1: magic, version, length of the header, header, values). */
const readNpy = (bytes: Buffer): NumpyArray => {
  const wide = (bytes[6] ?? 1) > 1
  const start = (wide ? 12 : 10) + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8))
  const header = bytes.toString('latin1', 0, start)
  const type = /'descr': '([^']+)'/.exec(header)?.[1] ?? ''
  const columnMajor = header.includes("'fortran_order': True")
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '').split(',').filter(Boolean).map(Number)
  const [size, read] = READERS[type] ?? []
  if (size === undefined || read === undefined) throw new TypeError(`arrays of ${type} are not read`)
  const [rows = 1, columns = 1] = shape
  const view = new DataView(bytes.buffer, bytes.byteOffset + start)
  const values = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = columnMajor ? column * rows + row : row * columns + column
      values[row * columns + column] = read(view, place * size)
    }
  }
  return { shape, values }
}

const END_OF_DIRECTORY = 0x06054b50
const DEFLATED = 8

/** Reads the arrays of an .npz file, which is a ZIP file of .npy files (PKWARE APPNOTE 4.3), by their names. */
export const readNpz = (path: string): ReadonlyMap<string, NumpyArray> => {
  const file = readFileSync(path)
  let end = file.length - 22
  while (end >= 0 && file.readUInt32LE(end) !== END_OF_DIRECTORY) end--
  if (end < 0) throw new TypeError(`${path} is no ZIP file`)
  const arrays = new Map<string, NumpyArray>()
  let at = file.readUInt32LE(end + 16)
  for (let entry = file.readUInt16LE(end + 10); entry > 0; entry--) {
    const [method, size, nameLength] = [
      file.readUInt16LE(at + 10),
      file.readUInt32LE(at + 20),
      file.readUInt16LE(at + 28),
    ]
    const local = file.readUInt32LE(at + 42)
    const name = file.toString('utf8', at + 46, at + 46 + nameLength)
    const data = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28)
    const packed = file.subarray(data, data + size)
    arrays.set(name.replace(/\.npy$/, ''), readNpy(method === DEFLATED ? inflateRawSync(packed) : packed))
    at += 46 + nameLength + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32)
  }
  return arrays
}
