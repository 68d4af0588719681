import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { fakeProgram, tempDir } from '../../test/support/temp.ts'
import { checkJava, checkMaven, findRedis, systemTools } from './tools.ts'

const MISSING = { java: '/nowhere/java', mvn: '/nowhere/mvn', redisServer: '/nowhere/redis-server' }
const INSTEAD = 'or set KAFKA_BROKERS, SCHEMA_REGISTRY_URL and REDIS_URL to services that run already'

const java = (version: string) => fakeProgram(tempDir(), 'java', `echo 'openjdk version "${version}"' >&2`)

describe('Java', () => {
  it.each(['17', '17.0.15', '21.0.2', '25-ea'])('may be %s', async version => {
    await checkJava({ ...MISSING, java: java(version) })
  })

  it.each([
    ['1.8.0_412', '8'],
    ['11.0.2', '11'],
    ['16', '16'],
  ])('%s is too old', async (version, major) => {
    const path = java(version)
    await expect(checkJava({ ...MISSING, java: path })).rejects.toMatchObject({
      code: 'NS_EMBEDDED_UNAVAILABLE',
      message:
        `the embedded services need Java 17 or newer, and ${path} is Java ${major}: ` +
        `install it (Debian: apt-get install openjdk-17-jre-headless), ${INSTEAD}`,
    })
  })

  it.each([
    ['is missing', () => MISSING.java],
    ['does not run', () => fakeProgram(tempDir(), 'java', 'exit 1')],
  ])('that %s is asked for', async (_, path) => {
    await expect(checkJava({ ...MISSING, java: path() })).rejects.toThrow(
      /there is no \S+ that runs: install it/,
    )
  })

  it('is taken from JAVA_HOME when that is set', () => {
    expect(systemTools('/opt/jdk').java).toBe(join('/opt/jdk', 'bin', 'java'))
    expect(systemTools(undefined)).toEqual({ java: 'java', mvn: 'mvn', redisServer: 'redis-server' })
  })
})

it('Maven that is missing is asked for in one sentence', async () => {
  await expect(checkMaven(MISSING)).rejects.toMatchObject({
    code: 'NS_EMBEDDED_UNAVAILABLE',
    message:
      'the first start fetches Kafka, the registry and Redis with Maven, and there is no /nowhere/mvn that runs: ' +
      `install it (Debian: apt-get install maven), ${INSTEAD}`,
  })
})

describe('Redis', () => {
  const answers = "echo 'Redis server v=7.0.15 sha=0'"

  it("is the machine's own before a bundled one", async () => {
    const redisServer = fakeProgram(tempDir(), 'redis-server', answers)
    const bundled = fakeProgram(tempDir(), 'redis-server', answers)
    expect(await findRedis({ ...MISSING, redisServer }, [bundled])).toBe(redisServer)
    expect(await findRedis(MISSING, ['/nowhere/bundled', bundled])).toBe(bundled)
  })

  it('that runs nowhere is asked for in one sentence', async () => {
    const broken = fakeProgram(tempDir(), 'redis-server', 'echo libssl.so.3: cannot open >&2; exit 127')
    await expect(findRedis(MISSING, [broken])).rejects.toMatchObject({
      code: 'NS_EMBEDDED_UNAVAILABLE',
      message:
        'no redis-server runs on this machine, the bundled one included: ' +
        `install one (Debian: apt-get install redis-server), ${INSTEAD}`,
    })
  })
})
