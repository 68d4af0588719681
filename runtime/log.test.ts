import { describe, expect, it } from '@jest/globals'
import { SentinelError } from './errors.ts'
import { createLog, silentLog } from './log.ts'

const capture = (level: 'info' | 'warn' = 'info') => {
  const lines: string[] = []
  const log = createLog({ level }, 'scoring', { write: line => void lines.push(line) })
  return { log, lines }
}

describe('createLog', () => {
  it('writes one JSON line with the level in words and the process once', () => {
    const { log, lines } = capture()
    log.info({ partition: 3 }, 'assigned')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      name: 'scoring',
      partition: 3,
      msg: 'assigned',
    })
    expect(lines[0]?.match(/"name"/g)).toHaveLength(1)
  })

  it('leaves out what is below its level', () => {
    const { log, lines } = capture('warn')
    log.info('not this')
    log.warn('this')
    expect(lines.map(line => (JSON.parse(line) as { msg: string }).msg)).toEqual(['this'])
  })

  it.each([
    ['at the top', { password: 'hunter2', accessToken: 'hunter2', user: 'eve' }],
    ['one level down', { body: { password: 'hunter2', refreshToken: 'hunter2' }, user: 'eve' }],
    [
      'in request headers',
      { req: { headers: { authorization: 'hunter2', cookie: 'hunter2' } }, user: 'eve' },
    ],
    ['in a list', { logins: [{ secret: 'hunter2', ticket: 'hunter2' }], user: 'eve' }],
    [
      'in a nested section',
      { kafka: { sasl: { saslPassword: 'hunter2', privateKey: 'hunter2' } }, user: 'eve' },
    ],
  ])('replaces secrets %s and keeps the rest', (_where, fields) => {
    const { log, lines } = capture()
    log.info(fields, 'login')
    expect(lines[0]).not.toContain('hunter2')
    expect(lines[0]?.match(/\[redacted\]/g)).toHaveLength(2)
    expect(lines[0]).toContain('"user":"eve"')
  })

  it('keeps secrets out of the lines of a child', () => {
    const { log, lines } = capture()
    log.child({ token: 'hunter2', stage: 'ingest' }).info({ password: 'hunter2' }, 'started')
    expect(lines[0]).not.toContain('hunter2')
    expect(lines[0]).toContain('"stage":"ingest"')
  })

  it('writes an error with its code and its cause', () => {
    const { log, lines } = capture()
    log.error({ err: new SentinelError('NS_EMPTY', 'no value', { cause: new Error('tombstone') }) }, 'poison')
    const { err } = JSON.parse(lines[0] ?? '') as { err: { code: string; message: string; stack: string } }
    expect(err.code).toBe('NS_EMPTY')
    expect(err.message).toContain('no value')
    expect(err.stack).toContain('tombstone')
  })
})

describe('silentLog', () => {
  it('is enabled for nothing', () => {
    expect(silentLog().isLevelEnabled('fatal')).toBe(false)
  })
})
