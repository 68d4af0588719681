import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { runCli, until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

const LIB = join(import.meta.dirname, '../../.netsentinel/lib')

/** `netsentinel up` on services of its own, whatever the environment of the tests names. */
const up = (args: readonly string[], dataDir: string) =>
  runCli(['up', ...args], {
    KAFKA_BROKERS: undefined,
    REDIS_URL: undefined,
    SCHEMA_REGISTRY_URL: undefined,
    DATA_DIR: dataDir,
    EMBEDDED_LIB_DIR: LIB,
    GATEWAY_PORT: '0',
  })

describe('netsentinel up', () => {
  it('--once runs the capture through and accounts for every record', async () => {
    const cli = up(['--once', '--ephemeral'], tempDir())
    expect(await cli.exited).toEqual({ code: 0, signal: null })
    const [line = '', ...rest] = cli.stdout().trimEnd().split('\n')
    expect(rest).toEqual([])
    const { raw, events, deadLetters, threats, delivered, alerts } = JSON.parse(line) as Record<
      string,
      number
    >
    expect(raw).toBeGreaterThan(5_000)
    expect((events ?? 0) + (deadLetters ?? 0)).toBeGreaterThanOrEqual(raw ?? 0)
    expect(threats).toBeGreaterThan(100)
    expect(delivered).toBe(threats)
    expect(alerts).toBeGreaterThan(2)
    expect(alerts).toBeLessThan((threats ?? 0) / 4)
  }, 120_000)

  it('shows threats until it is told to stop, and then leaves nothing behind', async () => {
    const cli = up(['--ephemeral', '--rate', '1000'], tempDir())
    await until(() => cli.stdout().split('\n').length > 10, { what: 'ten threats', timeoutMs: 90_000 })
    expect(cli.stderr()).toMatch(/first login: admin \/ \S{12,}/)
    cli.kill('SIGTERM')
    expect(await cli.exited).toEqual({ code: 0, signal: null })
  }, 120_000)
})
