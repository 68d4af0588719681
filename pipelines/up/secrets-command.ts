import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readModelKeys } from '../../models/registry/keys.ts'
import type { Command } from '../../runtime/command.ts'
import { EXIT } from '../../runtime/lifecycle.ts'

/** Names a file and says what it holds, given what the files before it hold. */
type Secret = readonly [file: string, content: (held: (file: string) => string) => string]

const random = (bytes: number) => () => randomBytes(bytes).toString('base64url')

/** One folder for each who may read it; addresses are those of docker-compose.yml. */
const SECRETS: readonly Secret[] = [
  ['ingest/key', random(32)],
  ['models/signing-key', random(32)],
  [
    'config/netsentinel.json',
    held => {
      const { publicKey } = readModelKeys({ signingKey: held('models/signing-key'), publicKeys: [] }, '')
      return JSON.stringify({ models: { publicKeys: [publicKey] } })
    },
  ],
  ['postgres/password', random(24)],
  ['gateway/store', held => `postgres://netsentinel:${held('postgres/password')}@postgres:5432/netsentinel`],
  ['gateway/key', random(32)],
  ['gateway/admin-password', random(18)],
  ['redis/redis.conf', () => `requirepass ${random(24)()}`],
  ['redis/url', held => `redis://:${held('redis/redis.conf').replace('requirepass ', '')}@redis:6379`],
]

/** Makes the secrets that are missing under `root`, and keeps those that are there. Resolves with the names of the new. */
export const makeSecrets = (root: string): readonly string[] => {
  const held = (file: string) => readFileSync(join(root, file), 'utf8').trim()
  const missing = SECRETS.filter(([file]) => !existsSync(join(root, file)))
  for (const [file, content] of missing) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    // Readable by whoever is given the folder, which is a volume of its own: services run as users of their own.
    writeFileSync(join(root, file), `${content(held)}\n`, { mode: 0o444, flag: 'wx' })
  }
  return missing.map(([file]) => file)
}

/** `netsentinel secrets`. */
export const secrets: Command<object> = {
  summary: 'Make the secrets of an installation in containers, those that are missing, as files.',
  operands: 'DIRECTORY',
  details:
    'One folder for each who may read it, as docker-compose.yml and deploy/kubernetes mount them. Run by the first `up`.',
  run: async ({ operands: [directory = '/secrets'], print }) => {
    for (const file of makeSecrets(directory)) print(`made ${file}`)
    return EXIT.ok
  },
}
