import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { openStore } from '../../gateway/store/open-store.ts'
import { openPostgres } from '../../gateway/store/postgres.ts'
import type { Store } from '../../gateway/store/store.ts'
import { silentLog } from '../../runtime/log.ts'
import { storeContract } from '../contract/store.ts'
import { killWhileWriting } from '../support/killed-writer.ts'
import { startOwnPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { until } from '../support/services.ts'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startPostgres()
})
// A container is gone when its disk is.
afterAll(() => postgres.close(), 180_000)

const opened: Store[] = []
const open = async (address: string): Promise<Store> => {
  const store = await openStore({ address, log: silentLog() })
  opened.push(store)
  return store
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
})

describe('the Postgres store', () => {
  storeContract(async () => {
    const address = await postgres.createDatabase()
    return [await open(address), await open(address)]
  })

  it('is made once by gateways that start at the same moment', async () => {
    const address = await postgres.createDatabase()
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(address)))
    for (const store of stores) expect(await store.hasUsers()).toBe(false)
  })

  it('refuses a store of a newer version, and one where it may not make tables', async () => {
    const address = await postgres.createDatabase()
    const database = await openPostgres({ address, log: silentLog() })
    await database.run('UPDATE schema_version SET version = 1000')
    await expect(open(address)).rejects.toMatchObject({ code: 'NS_STORE_UNUSABLE' })
    await database.run('DROP SCHEMA public CASCADE')
    await expect(open(address)).rejects.toMatchObject({ code: 'NS_STORE_UNUSABLE' })
    await database.close()
  })

  it.each([
    [
      'with a wrong password',
      (address: URL) => Object.assign(address, { password: 'wrong' }),
      'NS_STORE_UNUSABLE',
    ],
    [
      'where nobody listens',
      (address: URL) => Object.assign(address, { port: '1' }),
      'NS_SERVICE_UNREACHABLE',
    ],
  ])('says why it cannot be opened %s, without the password', async (_name, change, code) => {
    const address = change(new URL(await postgres.createDatabase())).href
    const error = await open(address).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code })
    expect(String(error)).not.toContain('only')
  })

  it('undoes what a lost connection was in the middle of, says that it was away, and goes on', async () => {
    const address = await postgres.createDatabase()
    const database = await openPostgres({ address, log: silentLog() })
    const add = "INSERT INTO access_changes VALUES (?, 'u', 0)"
    const cut = database.transaction(async sql => {
      await sql.run(add, 'a')
      await sql.run('SELECT pg_terminate_backend(pg_backend_pid())')
    })
    await expect(cut).rejects.toMatchObject({ code: 'NS_SERVICE_UNREACHABLE' })
    await database.run(add, 'b')
    expect(await database.all('SELECT id FROM access_changes')).toEqual([{ id: 'b' }])
    await database.close()
  })

  it('has everything that it acknowledged when gateway and database are killed, and goes on', async () => {
    const own = await startOwnPostgres()
    const address = await own.createDatabase()
    const store = await open(address)
    const acknowledged = await killWhileWriting(address, own.crash)
    await until(async () => (await store.problem()) === undefined)
    expect(acknowledged.length).toBeGreaterThan(20)
    for (const username of acknowledged) expect(await store.findUserByName(username)).toBeDefined()
    await store.close()
    await own.close()
    // After a crash Postgres first writes all of its files to the disk.
  }, 180_000)
})
