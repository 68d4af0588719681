import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { tempDir } from '../../test/support/temp.ts'
import { crashError, storageError } from './failures.ts'

const logWith = (text: string) => {
  const file = join(tempDir(), 'kafka.log')
  writeFileSync(file, text)
  return file
}

describe('the error of a child that ended', () => {
  it.each([
    [
      'java.io.IOException: No space left on device\n',
      'NS_DISK_FULL',
      (log: string) => `Kafka ended because its disk is full: free some space (${log})`,
    ],
    [
      'org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:1: Address already in use.\n',
      'NS_PORT_TAKEN',
      (log: string) => `Kafka ended because its port is taken: start again (${log})`,
    ],
    [
      'Port 8080 seems to be used by another process\n',
      'NS_PORT_TAKEN',
      (log: string) => `Kafka ended because its port is taken: start again (${log})`,
    ],
    [
      'Failed to acquire lock on file .lock in /x. A Kafka instance in another process is using this directory.\n',
      'NS_EMBEDDED_LOCKED',
      (log: string) => `another process uses the data of Kafka: stop it (${log})`,
    ],
    [
      'java.lang.OutOfMemoryError: Java heap space\n',
      'NS_EMBEDDED_CRASHED',
      (log: string) => `Kafka ended with exit code 3: see ${log}`,
    ],
  ])('%j is %s', (text, code, message) => {
    const log = logWith(text)
    expect(crashError('Kafka', 3, log)).toMatchObject({ code, message: message(log) })
  })
})

describe('the error of a directory', () => {
  it.each([
    ['ENOSPC', 'NS_DISK_FULL', /^the disk of \/data is full: free some space, or set DATA_DIR$/],
    ['EDQUOT', 'NS_DISK_FULL', /^the disk of \/data is full/],
    [
      'EACCES',
      'NS_EMBEDDED_UNAVAILABLE',
      /^\/data cannot be written \(because\): make it writable, or set DATA_DIR/,
    ],
  ])('%s is %s', (errno, code, message) => {
    const cause = Object.assign(new Error('because'), { code: errno })
    expect(storageError('/data', cause)).toMatchObject({
      code,
      message: expect.stringMatching(message),
      cause,
    })
  })
})
