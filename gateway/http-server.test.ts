import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, it } from '@jest/globals'
import { createTestApp } from '../test/support/app.ts'
import { createAuthority } from '../test/support/certificates.ts'
import { tempDir } from '../test/support/temp.ts'
import { until } from '../test/support/until.ts'
import { readTls } from './http-server.ts'

describe('the server', () => {
  it('speaks TLS 1.2 or later where it has a certificate, and tells browsers to stay with it', async () => {
    const { cert, key, ca } = createAuthority().issue('IP:127.0.0.1')
    const authority = readFileSync(ca)
    const { app } = await createTestApp({ tls: readTls({ tlsCert: cert, tlsKey: key }) })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const answer = await new Promise<{ status: number | undefined; hsts: string | undefined }>(
      (resolve, reject) => {
        get(`https://127.0.0.1:${port}/live`, { ca: authority, agent: false }, response => {
          response.resume()
          resolve({
            status: response.statusCode,
            hsts: response.headers['strict-transport-security'],
          })
        }).on('error', reject)
      },
    )
    expect(answer).toEqual({ status: 200, hsts: expect.stringContaining('max-age=31536000') })
    const old = await new Promise<string | undefined>(resolve => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        ca: authority,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
      })
      socket.on('error', error => resolve(error.message))
      socket.on('secureConnect', () => resolve(undefined))
    })
    expect(old).not.toBeUndefined()
  })

  it('does not start with half a certificate, or with what is none', () => {
    const path = join(tempDir(), 'cert.pem')
    writeFileSync(path, 'no certificate')
    const code = { code: 'NS_CONFIG_INVALID' }
    expect(() => readTls({ tlsCert: path })).toThrow(expect.objectContaining(code))
    expect(() => readTls({ tlsCert: path, tlsKey: path })).toThrow(expect.objectContaining(code))
    expect(readTls({})).toBeUndefined()
  })
})

describe('under pressure', () => {
  it('puts requests off, and still says that it lives', async () => {
    const { app, deps } = await createTestApp({ maxHeapBytes: 1 })
    const ask = () => app.inject('/.well-known/jwks.json')
    await until(async () => (await ask()).statusCode === 503)
    const { headers, body } = await ask()
    expect(headers).toMatchObject({
      'retry-after': '1',
      'content-type': expect.stringContaining('problem+json'),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    })
    const { values } = await deps.metrics.limited.get()
    expect(values).toMatchObject([{ labels: { limit: 'pressure' } }])
    expect(JSON.parse(body)).toMatchObject({ status: 503 })
    expect((await app.inject('/live')).statusCode).toBe(200)
  })
})
