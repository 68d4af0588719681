import { describe, expect, it } from '@jest/globals'
import { codeOf, ERROR_CODES, isSentinelError, messageOf, SentinelError, toSentinelError } from './errors.ts'

describe('SentinelError', () => {
  it('carries what its code says of it', () => {
    const cause = new Error('socket hang up')
    const error = new SentinelError('NS_SERVICE_UNREACHABLE', 'Kafka is away', { cause })
    expect(error).toMatchObject({
      name: 'SentinelError',
      message: 'Kafka is away',
      outcome: 'retriable',
      cause,
    })
    expect(error.advice).toContain('netsentinel check')
  })

  it.each(Object.entries(ERROR_CODES))('%s has an outcome and advice that is a sentence', (code, entry) => {
    const [outcome, advice] = entry
    expect(code).toMatch(/^NS_[A-Z_]+$/)
    expect(['retriable', 'poison', 'fatal']).toContain(outcome)
    expect(advice).toMatch(/^[A-Z].*\.$/)
  })
})

describe('isSentinelError', () => {
  it('compares the code where one is given', () => {
    const error = new SentinelError('NS_EMPTY', 'no value')
    expect([isSentinelError(error), isSentinelError(error, 'NS_EMPTY')]).toEqual([true, true])
    expect(isSentinelError(error, 'NS_NOT_JSON')).toBe(false)
    expect(isSentinelError(Object.assign(new Error('x'), { code: 'NS_EMPTY' }))).toBe(false)
  })
})

describe('toSentinelError', () => {
  it('passes one of ours through and makes anything else a defect, with its cause', () => {
    const ours = new SentinelError('NS_EMPTY', 'no value')
    expect(toSentinelError(ours)).toBe(ours)
    const theirs = new TypeError('x is not a function')
    expect(toSentinelError(theirs)).toMatchObject({
      code: 'NS_INTERNAL',
      outcome: 'fatal',
      message: 'x is not a function',
      cause: theirs,
    })
    expect(toSentinelError('thrown text')).toMatchObject({ code: 'NS_INTERNAL', message: 'thrown text' })
  })
})

describe('messageOf and codeOf', () => {
  it.each([
    [new Error('a'), 'a', undefined],
    [Object.assign(new Error('b'), { code: 'ECONNREFUSED' }), 'b', 'ECONNREFUSED'],
    [Object.assign(new Error('c'), { code: 12 }), 'c', undefined],
    [undefined, 'undefined', undefined],
    [null, 'null', undefined],
    ['text', 'text', undefined],
  ])('take %p', (error, message, code) => {
    expect(messageOf(error)).toBe(message)
    expect(codeOf(error)).toBe(code)
  })
})
