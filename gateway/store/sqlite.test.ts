import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from '@jest/globals'
import { silentLog } from '../../runtime/log.ts'
import { storeContract } from '../../test/contract/store.ts'
import { killWhileWriting } from '../../test/support/killed-writer.ts'
import { tempDir } from '../../test/support/temp.ts'
import { migrationsFor } from './migrations.ts'
import { openStore } from './open-store.ts'
import { openSqlite } from './sqlite.ts'
import type { Store } from './store.ts'

const opened: Store[] = []
const open = async (path: string): Promise<Store> => {
  const store = await openStore({ address: path, log: silentLog() })
  opened.push(store)
  return store
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
})

const REFUSED = expect.objectContaining({ code: 'NS_STORE_UNUSABLE' })

describe('the SQLite store', () => {
  storeContract(async () => {
    const path = join(tempDir(), 'gateway.db')
    return [await open(path), await open(path)]
  })

  it('is a file that only its owner can read', async () => {
    const path = join(tempDir(), 'new', 'gateway.db')
    await open(path)
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o077).toBe(0)
  })

  it('refuses a store of a newer version, and one that is no database', async () => {
    const newer = join(tempDir(), 'newer.db')
    const db = new DatabaseSync(newer)
    db.exec('PRAGMA user_version = 1000')
    db.close()
    await expect(open(newer)).rejects.toEqual(REFUSED)
    const text = join(tempDir(), 'text.db')
    writeFileSync(
      text,
      'this is a text and not a database, and it is long enough to be taken for one'.repeat(20),
    )
    await expect(open(text)).rejects.toEqual(REFUSED)
    await expect(open(join(text, 'gateway.db'))).rejects.toEqual(REFUSED)
  })

  it('is not made of an address that it does not know, which is not shown', async () => {
    const error = await open('mysql://user:hunter2@host/db').catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'NS_CONFIG_INVALID' })
    expect(String(error)).not.toContain('hunter2')
  })

  it('brings one of an older version up to date, with what is in it', async () => {
    const path = join(tempDir(), 'older.db')
    const db = new DatabaseSync(path)
    db.exec(migrationsFor('sqlite')[0] ?? '')
    db.exec('PRAGMA user_version = 1')
    db.exec("INSERT INTO users VALUES ('u', 'eve', 'hash', 'admin', 0, 7)")
    db.exec("INSERT INTO sessions VALUES ('s', 'u', 7, 9000, 0)")
    db.exec("INSERT INTO refresh_tokens VALUES ('old', 's', 9000, 1), ('new', 's', 9000, 0)")
    db.close()
    const store = await open(path)
    expect(await store.findUserByName('eve')).toMatchObject({ id: 'u', passwordExpiresAt: null })
    const next = { hash: 'next', expiresAt: 9_000, sealed: 'x' }
    expect(await store.rotateRefreshToken('new', next, 20, 5)).toMatchObject({ outcome: 'rotated' })
    expect(await store.rotateRefreshToken('old', next, 20, 5)).toMatchObject({ outcome: 'reused' })
  })

  it('undoes a transaction that fails, and lets nobody in between', async () => {
    const database = await openSqlite(join(tempDir(), 'gateway.db'))
    const add = "INSERT INTO access_changes VALUES (?, 'u', 0)"
    const failed = database.transaction(async sql => {
      await sql.run(add, 'a')
      throw new Error('no')
    })
    const beside = database.run(add, 'b')
    await expect(failed).rejects.toThrow('no')
    await beside
    expect(await database.all('SELECT id FROM access_changes')).toMatchObject([{ id: 'b' }])
    await database.close()
  })

  it('can be made by several processes at once', async () => {
    const path = join(tempDir(), 'gateway.db')
    const script = `
      const { openStore } = await import(${JSON.stringify(join(import.meta.dirname, 'open-store.ts'))})
      const store = await openStore({ address: ${JSON.stringify(path)}, log: undefined })
      const key = { kid: String(process.pid), sealed: 'x', createdAt: 1, signsFrom: 1 }
      const isFirst = await store.addSigningKey(key, undefined)
      console.log(isFirst ? 'first' : 'later', (await store.listSigningKeys())[0].kid)
      await store.close()`
    const runs = Array.from({ length: 6 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      const [code] = await once(child, 'close')
      expect(code).toBe(0)
      return output.trim().split(' ')
    })
    const answers = await Promise.all(runs)
    expect(answers.filter(([order]) => order === 'first')).toHaveLength(1)
    expect(new Set(answers.map(([, kid]) => kid)).size).toBe(1)
  })

  it('has everything that it acknowledged when its process is killed', async () => {
    const path = join(tempDir(), 'gateway.db')
    const acknowledged = await killWhileWriting(path)
    const store = await open(path)
    expect(acknowledged.length).toBeGreaterThan(20)
    for (const username of acknowledged) expect(await store.findUserByName(username)).toBeDefined()
  })
})
