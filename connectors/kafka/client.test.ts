import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { createKafka, kafkaConfig } from './client.ts'

const directory = mkdtempSync(join(tmpdir(), 'kafka-client-'))
afterAll(() => rmSync(directory, { recursive: true }))

const create = (env: Record<string, string>) =>
  createKafka({ config: loadConfig({ kafka: kafkaConfig }, env).kafka, log: silentLog() })

describe('createKafka', () => {
  it('takes its settings from the environment', () => {
    const { config } = create({ KAFKA_BROKERS: 'a:1, b:2', KAFKA_SSL: 'yes' })
    expect(config).toMatchObject({ brokers: ['a:1', 'b:2'], ssl: true, compression: 'none' })
    expect(create({}).config.brokers).toEqual(['127.0.0.1:9092'])
  })

  it('refuses SASL without credentials, and a mechanism that it does not know', () => {
    expect(() => create({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u' })).toThrow(
      'KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are required',
    )
    expect(() => create({ KAFKA_SASL_MECHANISM: 'kerberos' })).toThrow('KAFKA_SASL_MECHANISM')
    const given = { KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' }
    expect(() => create({ ...given, KAFKA_SASL_MECHANISM: 'scram-sha-512' })).not.toThrow()
  })

  it('says which certificate file cannot be read', () => {
    const ca = join(directory, 'ca.pem')
    expect(() => create({ KAFKA_SSL_CA: ca })).toThrow('KAFKA_SSL_CA: ENOENT')
    writeFileSync(ca, 'pem')
    expect(() => create({ KAFKA_SSL_CA: ca })).not.toThrow()
    expect(() => create({ KAFKA_SSL_CA: ca, KAFKA_SSL_KEY: join(directory, 'none') })).toThrow(
      'KAFKA_SSL_KEY',
    )
  })
})
