import { describe, expect, it } from '@jest/globals'
import kafkajs from 'kafkajs'
import { SentinelError } from '../../runtime/errors.ts'
import { isFenced, outOfRangePartition, toKafkaError } from './errors.ts'

const protocol = (type: string, retriable: boolean) =>
  Object.assign(new kafkajs.KafkaJSError(`the broker said ${type}`, { retriable }), {
    name: 'KafkaJSProtocolError',
    type,
  })

/** As kafkajs' own retrier wraps what it gives up on. */
const wrapped = (cause: Error, name = 'KafkaJSNonRetriableError') =>
  Object.assign(new Error(cause.message), { name, retriable: false, cause })

describe('toKafkaError', () => {
  it.each([
    ['INVALID_PRODUCER_EPOCH', false, 'NS_TRANSACTION_FAILED', 'retriable'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', false, 'NS_TRANSACTION_FAILED', 'retriable'],
    ['CONCURRENT_TRANSACTIONS', true, 'NS_TRANSACTION_FAILED', 'retriable'],
    ['MESSAGE_TOO_LARGE', false, 'NS_TOO_LARGE', 'poison'],
    ['OFFSET_OUT_OF_RANGE', true, 'NS_OFFSET_LOST', 'fatal'],
    ['UNKNOWN_TOPIC_OR_PARTITION', true, 'NS_TOPIC_MISSING', 'fatal'],
    ['TOPIC_AUTHORIZATION_FAILED', false, 'NS_KAFKA_REFUSED', 'fatal'],
    ['INVALID_TRANSACTION_TIMEOUT', false, 'NS_CONFIG_INVALID', 'fatal'],
    ['LEADER_NOT_AVAILABLE', true, 'NS_SERVICE_UNREACHABLE', 'retriable'],
    ['INVALID_REQUIRED_ACKS', false, 'NS_INTERNAL', 'fatal'],
  ])('%s is %s %s', (type, retriable, code, outcome) => {
    const error = protocol(type, retriable)
    for (const each of [error, wrapped(error), wrapped(wrapped(error), 'KafkaJSNumberOfRetriesExceeded')]) {
      const mapped = toKafkaError(each, 'committing t-1')
      expect(mapped).toMatchObject({ code, outcome, cause: each })
      expect(mapped.message).toBe(`committing t-1: the broker said ${type}`)
    }
  })

  it('takes connections, timeouts and refused credentials for what they are', () => {
    const named = (name: string) => Object.assign(new Error('gone'), { name, retriable: true })
    expect(toKafkaError(named('KafkaJSConnectionError'), 'x').code).toBe('NS_SERVICE_UNREACHABLE')
    expect(toKafkaError(wrapped(named('KafkaJSRequestTimeoutError')), 'x').code).toBe(
      'NS_SERVICE_UNREACHABLE',
    )
    expect(toKafkaError(wrapped(named('KafkaJSSASLAuthenticationError')), 'x').code).toBe('NS_KAFKA_REFUSED')
    expect(toKafkaError(wrapped(named('KafkaJSServerDoesNotSupportApiKey')), 'x').code).toBe(
      'NS_KAFKA_TOO_OLD',
    )
    const lost = new Error('Broker not connected')
    expect(toKafkaError(lost, 'x').code).toBe('NS_SERVICE_UNREACHABLE')
    expect(toKafkaError(wrapped(lost), 'x').code).toBe('NS_SERVICE_UNREACHABLE')
    expect(toKafkaError(new TypeError('x is not a function'), 'x').code).toBe('NS_INTERNAL')
    expect(toKafkaError('text', 'x').code).toBe('NS_INTERNAL')
  })

  it('passes a SentinelError through, and says where a batch lies that cannot be read', () => {
    const own = new SentinelError('NS_BATCH_CORRUPT', 'a lz4 batch does not decompress')
    expect(toKafkaError(wrapped(own), 'consuming')).toBe(own)
    const located = Object.assign(own, { topic: 't', partition: 2, firstOffset: '17' })
    expect(toKafkaError(wrapped(located), 'consuming')).toMatchObject({
      code: 'NS_BATCH_CORRUPT',
      message: 't-2, offset 17: a lz4 batch does not decompress',
    })
  })
})

describe('what only some answers say', () => {
  it('knows a fence and a missing range', () => {
    expect(isFenced(wrapped(protocol('INVALID_PRODUCER_EPOCH', false)))).toBe(true)
    expect(isFenced(protocol('INVALID_TXN_STATE', false))).toBe(false)
    const range = Object.assign(protocol('OFFSET_OUT_OF_RANGE', true), {
      name: 'KafkaJSOffsetOutOfRange',
      topic: 't',
      partition: 0,
    })
    expect(outOfRangePartition(wrapped(range))).toEqual({ topic: 't', partition: 0 })
    expect(outOfRangePartition(protocol('OFFSET_OUT_OF_RANGE', true))).toBeUndefined()
  })
})
