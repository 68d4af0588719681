import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import fc from 'fast-check'
import { makeSession, makeUser, NOW } from '../../test/contract/store-values.ts'
import { tempDir } from '../../test/support/temp.ts'
import { createSessionStore } from './sessions.ts'
import { openSqlite } from './sqlite.ts'
import { createUserStore } from './users.ts'

const REPEAT_MS = 10
const IDLE_MS = 50
const LIFE_MS = 200

/** What is done to sessions, with waits that meet the bounds exactly, in any order. Numbers choose among the sessions and tokens that there are. */
type Step =
  | { readonly do: 'open' | 'endAll' }
  | { readonly do: 'rotate' | 'end'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'open' }, { do: 'endAll' }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('rotate' as const), which: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(99) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 9, 10, 40, 50) }),
  },
)

interface ModelToken {
  readonly hash: string
  readonly session: string
  readonly expiresAt: number
  usedAt?: number
  successor?: string | undefined
}

/** Sessions as the contract tells of them, in a few lines and without a database. */
const createModel = () => {
  const sessions = new Map<string, { readonly expiresAt: number; ended: boolean }>()
  const tokens: ModelToken[] = []
  return {
    sessions,
    tokens,
    rotate: (token: ModelToken, next: string, now: number): string => {
      const session = sessions.get(token.session)
      if (session === undefined || session.ended || session.expiresAt <= now) return 'unknown'
      if (token.usedAt === undefined) {
        if (token.expiresAt <= now) return 'unknown'
        for (const each of tokens) if (each.session === token.session) each.successor = undefined
        Object.assign(token, { usedAt: now, successor: next })
        tokens.push({
          hash: next,
          session: token.session,
          expiresAt: Math.min(now + IDLE_MS, session.expiresAt),
        })
        return 'rotated'
      }
      if (token.successor !== undefined && now - token.usedAt < REPEAT_MS)
        return `repeated ${token.successor}`
      session.ended = true
      return 'reused'
    },
  }
}

it('sessions do what a model of them does, whatever is done to them and in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
      const database = await openSqlite(join(tempDir(), 'gateway.db'))
      const store = createSessionStore(database)
      const user = makeUser()
      await createUserStore(database).addUser(user)
      const model = createModel()
      let now = NOW
      let count = 0
      const name = () => {
        count += 1
        return `t${count}`
      }
      for (const each of [{ do: 'open' } as Step, ...steps]) {
        const ids = [...model.sessions.keys()]
        switch (each.do) {
          case 'open': {
            const session = makeSession(user.id, {
              createdAt: now,
              lastUsedAt: now,
              expiresAt: now + LIFE_MS,
            })
            const hash = name()
            await store.addSession(session, { hash, expiresAt: now + IDLE_MS }, now)
            model.sessions.set(session.id, { expiresAt: session.expiresAt, ended: false })
            model.tokens.push({ hash, session: session.id, expiresAt: now + IDLE_MS })
            break
          }
          case 'rotate': {
            const token = model.tokens[each.which % model.tokens.length]
            if (token === undefined) break
            const next = name()
            const successor = { hash: next, expiresAt: now + IDLE_MS, sealed: next }
            const found = await store.rotateRefreshToken(token.hash, successor, now, REPEAT_MS)
            const said = found.outcome === 'repeated' ? `repeated ${found.sealed}` : found.outcome
            expect(said).toBe(model.rotate(token, next, now))
            break
          }
          case 'end': {
            const id = ids[each.which % ids.length] ?? ''
            await store.endSession({ id, userId: user.id }, now)
            Object.assign(model.sessions.get(id) ?? {}, { ended: true })
            break
          }
          case 'endAll':
            await store.endSessionsOf(user.id, now)
            for (const session of model.sessions.values()) session.ended = true
            break
          case 'wait':
            now += each.ms
        }
        const open = [...model.sessions].filter(([, { ended, expiresAt }]) => !ended && expiresAt > now)
        const listed = (await store.listSessions(user.id, now)).map(({ id }) => id)
        expect(listed.toSorted()).toEqual(open.map(([id]) => id).toSorted())
      }
      await database.close()
    }),
    { numRuns: 60 },
  )
})
