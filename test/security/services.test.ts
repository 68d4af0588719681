import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openStore } from '../../gateway/store/open-store.ts'
import type { Store } from '../../gateway/store/store.ts'
import { silentLog } from '../../runtime/log.ts'
import { type Authority, createAuthority } from '../support/certificates.ts'
import { logIn, startTestGateway } from '../support/gateway.ts'
import { startTlsPostgres, type TestPostgres } from '../support/postgres.ts'
import { unique } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const authority = createAuthority()

describe('a Postgres that demands TLS', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startTlsPostgres(authority.issue('IP:127.0.0.1'))
  })
  afterAll(() => postgres.close())

  /** An empty database, asked for over TLS by the settings of its address. */
  const addressWith = async (settings: Readonly<Record<string, string>>) => {
    const address = new URL(await postgres.createDatabase())
    address.search = new URLSearchParams(settings).toString()
    return address
  }
  const open = async (address: URL) => {
    let store: Store | undefined
    try {
      store = await openStore({ address: address.href, log: silentLog() })
      return await store.problem()
    } finally {
      await store?.close()
    }
  }
  const verified = ({ ca }: Pick<Authority, 'ca'>) => ({ sslmode: 'verify-full', sslrootcert: ca })

  it('61: holds the store of a gateway, over TLS', async () => {
    const { href } = await addressWith(verified(authority))
    const { url } = await startTestGateway({
      dataDir: tempDir(),
      prefix: unique('tls'),
      env: { GATEWAY_STORE: href },
    })
    await logIn(url)
    expect((await fetch(`${url}/ready`)).status).toBe(200)
  })

  it.each([
    ['in plain text', async () => addressWith({}), 'NS_STORE_UNUSABLE', /no encryption|pg_hba/],
    [
      'whose authority is not known',
      async () => addressWith({ sslmode: 'verify-full' }),
      'NS_SERVICE_UNREACHABLE',
      /certificate/,
    ],
    [
      'whose authority is another one',
      async () => addressWith(verified(createAuthority())),
      'NS_SERVICE_UNREACHABLE',
      /certificate/,
    ],
    [
      'under a name that is not in its certificate',
      async () => Object.assign(await addressWith(verified(authority)), { hostname: 'localhost' }),
      'NS_SERVICE_UNREACHABLE',
      /altnames/,
    ],
    [
      'without a look at its certificate',
      async () => addressWith({ sslmode: 'no-verify' }),
      'NS_CONFIG_INVALID',
      /verify-full/,
    ],
  ])('61: is not used %s', async (_name, address, code, text) => {
    const error = await open(await address()).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code, message: expect.stringMatching(text) })
    expect(String(error)).not.toContain('only')
  })
})
