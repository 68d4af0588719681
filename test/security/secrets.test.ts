import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { gatewayConfig } from '../../gateway/config.ts'
import { loadConfig } from '../../runtime/config.ts'
import type { Tokens } from '../../schemas/wire.ts'
import { createSystem } from '../e2e/processes.ts'
import { openForeignSocket, post, tryUpgrade } from '../support/gateway.ts'
import { kcatRead } from '../support/kcat.ts'
import { until } from '../support/services.ts'
import { tempDir } from '../support/temp.ts'

/** What an access token looks like wherever it stands: two segments of JSON in base64url. */
const TOKEN = /eyJ[\w-]{8,}\.eyJ/

const NEW = 'an unlikely sentence, once'
const WRONG = 'a wrong guess, hunter2'

const random = () => randomBytes(24).toString('base64url')

describe('secrets', () => {
  it('57: and 42: are in no log, on no topic and in no metric of a gateway that was used in every way', async () => {
    const own = { GATEWAY_KEY: random(), BOOTSTRAP_ADMIN_PASSWORD: random() }
    const system = await createSystem(tempDir(), { ...own, LOG_LEVEL: 'trace' })
    const cli = await system.ready(['gateway'])
    const url = /gateway: (http\S+)/.exec(cli.stdout() + cli.stderr())?.[1] ?? ''
    const secrets = new Set<string>([...Object.values(own), NEW, WRONG])
    const remember = (tokens: Tokens) => {
      for (const secret of [tokens.accessToken, tokens.refreshToken]) secrets.add(secret)
      return tokens
    }
    const send = async (path: string, body: object, headers: Record<string, string> = {}) =>
      (await post(url, path, body, headers)).json() as Promise<Record<string, never>>
    const login = async (username: string, password: string) =>
      remember((await send('/auth/login', { username, password })) as unknown as Tokens)

    await send('/auth/login', { username: 'admin', password: WRONG })
    await send('/auth/login', { username: WRONG, password: WRONG })
    const { accessToken, refreshToken } = await login('admin', own.BOOTSTRAP_ADMIN_PASSWORD)
    const headers = { authorization: `Bearer ${accessToken}` }
    const refreshed = remember((await send('/auth/refresh', { refreshToken })) as unknown as Tokens)
    await send('/auth/refresh', { refreshToken: `${refreshToken.slice(0, -1)}x` })

    const made = await send('/users', { username: 'eve', role: 'viewer' }, headers)
    secrets.add(made['password'] ?? '')
    const change = { username: 'eve', password: made['password'], newPassword: NEW }
    remember((await send('/auth/password', change)) as unknown as Tokens)
    const eve = { authorization: `Bearer ${(await login('eve', NEW)).accessToken}` }
    secrets.add((await send('/auth/totp', { password: NEW }, eve))['secret'] ?? '')
    const key = await send('/keys', { name: 'siem', scopes: ['threats:read'], days: 1 }, headers)
    secrets.add(key['secret'] ?? '')
    await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${key['secret']}` } })

    const issued = await send('/auth/ticket', {}, { ...headers, origin: url })
    const ticket = String(issued['ticket'])
    secrets.add(ticket)
    const protocols = { origin: url, 'sec-websocket-protocol': `netsentinel.v1, ticket.${ticket}` }
    expect((await tryUpgrade(url, protocols)).status).toBe(101)
    expect((await tryUpgrade(url, protocols)).status).toBe(401)
    const socket = await openForeignSocket(url, { headers })
    socket.send({ type: 'refresh', accessToken: refreshed.accessToken })
    socket.send({ type: 'refresh', accessToken })
    socket.send({ type: accessToken })
    await until(() => socket.messages.length >= 3)
    await socket.close()

    // What clients put where it does not belong.
    for (const place of [
      `/ws?token=${accessToken}`,
      `/auth/me?access_token=${accessToken}`,
      `/${accessToken}`,
    ]) {
      await fetch(url + place, { headers })
      await tryUpgrade(url, headers, place)
    }
    await fetch(`${url}/auth/login`, { method: 'POST', body: `{"password":"${WRONG}`, headers })
    await send('/auth/login', { username: 'admin', password: WRONG, [accessToken]: accessToken })
    await send('/auth/login', {}, { authorization: `Basic ${accessToken}`, 'x-token': accessToken })
    await post(url, '/auth/logout', {}, headers)

    const { port } = JSON.parse(
      cli
        .stderr()
        .split('\n')
        .find(line => line.includes('health endpoint listens')) ?? '',
    ) as { port: number }
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    cli.kill('SIGTERM')
    await cli.exited
    const audit = JSON.stringify(await kcatRead(`${system.prefix}audit`))
    const written = { stdout: cli.stdout(), stderr: cli.stderr(), metrics, audit }
    // It has been written, and the secrets are ones: else what follows would show nothing.
    expect(written.stderr).toContain('security event')
    expect(audit).toContain('user.create')
    expect(metrics).toContain('netsentinel_')
    expect(Math.min(...[...secrets].map(secret => secret.length))).toBeGreaterThan(8)
    for (const [where, text] of Object.entries(written)) {
      expect([where, [...secrets].filter(secret => text.includes(secret))]).toEqual([where, []])
      expect([where, TOKEN.exec(text)]).toEqual([where, null])
    }
  })

  it.each([
    ['GATEWAY_KEY', 'change-me-change-me-change-me-change-me'],
    ['GATEWAY_KEY', 'tooshort'],
    ['GATEWAY_KEY', '0'.repeat(64)],
    ['BOOTSTRAP_ADMIN_PASSWORD', 'short'],
  ])(
    '57: %s that is a placeholder or easily guessed keeps the gateway from starting, unseen: %s',
    (name, value) => {
      const load = () => loadConfig({ gateway: gatewayConfig }, { [name]: value })
      expect(load).toThrow(name)
      expect(load).not.toThrow(value)
    },
  )

  it('57: are in no image: it is built from a list of what runs, and is given no secret', () => {
    const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
    expect(
      read('.dockerignore')
        .split('\n')
        .filter(line => !line.startsWith('#'))[0],
    ).toBe('*')
    const given = read('Dockerfile')
      .split('\n')
      .filter(line => /^\s*(?:ARG|ENV|[A-Z_]+=)/.test(line))
    expect(given.length).toBeGreaterThan(3)
    expect(given.filter(line => /KEY|PASSWORD|SECRET|TOKEN|URL/.test(line))).toEqual([])
    const literal = /(?:PASSWORD|SECRET|_KEY|TOKEN):\s*[^\s${/]/
    expect(
      read('docker-compose.yml')
        .split('\n')
        .filter(line => literal.test(line)),
    ).toEqual([])
  })
})
