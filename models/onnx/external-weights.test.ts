import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { SentinelError } from '../../runtime/errors.ts'
import { inlineWeights } from './external-weights.ts'
import { bytesField, encode, intField, messageField, textField } from './protobuf.ts'
import { fieldsIn } from './protobuf-reader.ts'

const padim = new URL('../foreign/fixtures/anomalib/padim/', import.meta.url)
const graph = new Uint8Array(readFileSync(new URL('model.onnx', padim)))
const weights = readFileSync(new URL('model.onnx.data', padim))

/** A model with one tensor whose weights are elsewhere. */
const modelOf = (entries: Readonly<Record<string, string>>) =>
  encode(
    messageField(
      7,
      messageField(
        5,
        intField(2, 1),
        textField(8, 'w'),
        ...Object.entries(entries).map(([key, value]) =>
          messageField(13, textField(1, key), textField(2, value)),
        ),
        intField(14, 1),
      ),
    ),
  )

const nothing = () => {
  throw new TypeError('no file is asked for')
}

describe('inlineWeights', () => {
  it('puts the weights of a plain export into the model, once', () => {
    const names: string[] = []
    const whole = inlineWeights(graph, name => {
      names.push(name)
      return weights
    })
    expect(new Set(names)).toEqual(new Set(['model.onnx.data']))
    expect(whole.length).toBeGreaterThan(weights.length)
    expect(whole.length).toBeLessThan(weights.length + graph.length)
    expect(inlineWeights(whole, nothing)).toBe(whole)
  })

  it('takes the bytes that the tensor names, up to the end where it names no length', () => {
    const file = Uint8Array.of(1, 2, 3, 4, 5)
    const expected = (bytes: Uint8Array) =>
      encode(messageField(7, messageField(5, intField(2, 1), textField(8, 'w'), bytesField(9, bytes))))
    const inlined = inlineWeights(modelOf({ location: 'w', offset: '1', length: '2' }), () => file)
    expect(Buffer.from(inlined)).toEqual(Buffer.from(expected(Uint8Array.of(2, 3))))
    const rest = inlineWeights(modelOf({ location: 'w', offset: '3' }), () => file)
    expect(Buffer.from(rest)).toEqual(Buffer.from(expected(Uint8Array.of(4, 5))))
  })

  it('finds weights in the attributes of nodes and in graphs within them', () => {
    const tensor = [messageField(13, textField(1, 'location'), textField(2, 'w')), intField(14, 1)]
    const attribute = messageField(5, messageField(5, ...tensor))
    const inner = messageField(5, messageField(6, messageField(1, attribute)))
    const inlined = inlineWeights(encode(messageField(7, messageField(1, inner))), () => Uint8Array.of(7))
    expect(inlined).toEqual(
      encode(
        messageField(
          7,
          messageField(
            1,
            messageField(
              5,
              messageField(
                6,
                messageField(1, messageField(5, messageField(5, bytesField(9, Uint8Array.of(7))))),
              ),
            ),
          ),
        ),
      ),
    )
  })

  it.each(['../secrets', '/etc/passwd', 'a/b', 'a\\b', '..', '', 'a\0b'])(
    'never asks for %j, which is no file beside the model',
    location => {
      expect(() => inlineWeights(modelOf({ location }), nothing)).toThrow(/not a file beside it/)
    },
  )

  it.each([
    [{ offset: '4', length: '2' }],
    [{ offset: '-1', length: '2' }],
    [{ offset: 'x' }],
    [{ offset: '9' }],
  ])('refuses weights that are not in the file: %j', where => {
    const file = Uint8Array.of(1, 2, 3, 4, 5)
    expect(() => inlineWeights(modelOf({ location: 'w', ...where }), () => file)).toThrow(/has 5 bytes/)
  })

  it('gives back or refuses whatever is no model, and never asks for a file on its account', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => {
        try {
          expect(inlineWeights(bytes, () => Uint8Array.of(1))).toBeInstanceOf(Uint8Array)
        } catch (error) {
          expect(error).toBeInstanceOf(SentinelError)
          expect(error).toMatchObject({ code: 'NS_MODEL_REFUSED' })
        }
      }),
    )
  })

  it('refuses a file that ends too early', () => {
    expect(() => inlineWeights(graph.subarray(0, graph.length - 5), () => weights)).toThrow(/no ONNX model/)
  })
})

describe('the protobuf reader', () => {
  it('reads what the writer writes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))),
        pairs => {
          const message = encode(...pairs.map(([number, value]) => intField(number, value)))
          expect([...fieldsIn(message)].map(({ number, int }) => [number, int])).toEqual(pairs)
        },
      ),
    )
  })
})
