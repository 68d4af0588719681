import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from '@jest/globals'
import { storeContract } from '../../test/contract/store.ts'
import { tempDir } from '../../test/support/temp.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

const open: Store[] = []
const openStore = (path: string): Store => {
  const store = openSqliteStore(path)
  open.push(store)
  return store
}
afterEach(async () => {
  await Promise.all(open.splice(0).map(store => store.close()))
})

describe('the SQLite store', () => {
  storeContract(async () => {
    const path = join(tempDir(), 'gateway.db')
    return [openStore(path), openStore(path)]
  })

  it('is a file that only its owner can read', () => {
    const path = join(tempDir(), 'new', 'gateway.db')
    openStore(path)
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(path + suffix).mode & 0o077).toBe(0)
  })

  it('refuses a store of a newer version, and one that is no database', () => {
    const newer = join(tempDir(), 'newer.db')
    const db = new DatabaseSync(newer)
    db.exec('PRAGMA user_version = 1000')
    db.close()
    expect(() => openSqliteStore(newer)).toThrow(expect.objectContaining({ code: 'NS_STORE_UNUSABLE' }))
    const text = join(tempDir(), 'text.db')
    writeFileSync(
      text,
      'this is a text and not a database, and it is long enough to be taken for one'.repeat(20),
    )
    expect(() => openSqliteStore(text)).toThrow(expect.objectContaining({ code: 'NS_STORE_UNUSABLE' }))
    expect(() => openSqliteStore(join(text, 'gateway.db'))).toThrow(
      expect.objectContaining({ code: 'NS_STORE_UNUSABLE' }),
    )
  })

  it('can be made by several processes at once', async () => {
    const path = join(tempDir(), 'gateway.db')
    const script = `
      const { openSqliteStore } = await import(${JSON.stringify(join(import.meta.dirname, 'sqlite.ts'))})
      const store = openSqliteStore(${JSON.stringify(path)})
      const isFirst = await store.addFirstSigningKey({ kid: String(process.pid), sealed: 'x', createdAt: 1 })
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
})
