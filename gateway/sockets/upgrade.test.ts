import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../../runtime/errors.ts'
import { createMemoryProvider } from '../auth/memory-provider.ts'
import { isRefusal, type Principal } from '../auth/provider.ts'
import { createSealer } from '../auth/sealing.ts'
import { createMemoryTicketStore, createTickets } from '../auth/tickets.ts'
import { judgeUpgrade } from './upgrade.ts'

const HOST = 'soc.example:8080'
const ORIGIN = 'http://soc.example:8080'
const CREDENTIALS = { username: 'eve', password: 'correct horse' }

const now = () => 1_700_000_000_000
const auth = createMemoryProvider({ accounts: [{ ...CREDENTIALS, role: 'viewer' }], accessTokenS: 60, now })
const tickets = createTickets({
  store: createMemoryTicketStore({ now }),
  sealer: createSealer('k'.repeat(32)),
  prefix: '',
  now,
})

const tokens = await auth.authenticate(CREDENTIALS)
if (isRefusal(tokens)) throw new Error('the login was refused')
const { accessToken, refreshToken } = tokens
const principal = (await auth.validateToken(accessToken)) as Principal
const bearer = `Bearer ${accessToken}`

const judge = (
  headers: Readonly<Record<string, string>>,
  { url = '/ws', method = 'GET', origins = [] as readonly string[] } = {},
) => judgeUpgrade({ method, url, headers: { host: HOST, ...headers } }, { auth, tickets, origins })

const withTicket = async (protocols: (ticket: string) => string, origin: string | undefined = ORIGIN) => ({
  ...(origin === undefined ? {} : { origin }),
  'sec-websocket-protocol': protocols(await tickets.issue(principal, ORIGIN)),
})
const usual = (ticket: string) => `netsentinel.v1, ticket.${ticket}`

describe('the verdict on an upgrade', () => {
  it('lets in a program with a bearer token, with an Origin or without', async () => {
    expect(await judge({ authorization: bearer })).toEqual({ principal })
    expect(await judge({ authorization: `bearer ${accessToken}`, origin: ORIGIN })).toEqual({ principal })
  })

  it('lets in a browser with a ticket, once', async () => {
    const headers = await withTicket(usual)
    expect(await judge(headers)).toEqual({ principal })
    expect(await judge(headers)).toMatchObject({ status: 401 })
    expect(await judge(await withTicket(ticket => `ticket.${ticket},netsentinel.v1`))).toEqual({ principal })
  })

  it.each([
    ['nothing', {}],
    ['an unknown token', { authorization: 'Bearer x' }],
    ['a refresh token', { authorization: `Bearer ${refreshToken}` }],
    ['another scheme', { authorization: `Basic ${accessToken}` }],
    ['two tokens', { authorization: `${bearer}, ${bearer}` }],
    ['a token after spaces', { authorization: `Bearer  ${accessToken}` }],
    ['a token in a cookie', { cookie: `token=${accessToken}` }],
    ['a token as a subprotocol', { 'sec-websocket-protocol': `netsentinel.v1, ${accessToken}` }],
    [
      'a token as a ticket',
      { 'sec-websocket-protocol': `netsentinel.v1, ticket.${accessToken}`, origin: ORIGIN },
    ],
    ['an empty ticket', { 'sec-websocket-protocol': 'netsentinel.v1, ticket.', origin: ORIGIN }],
  ])('asks for credentials: %s', async (_name, headers) => {
    expect(await judge(headers)).toMatchObject({ status: 401 })
  })

  it.each([
    ['without its Origin', usual, undefined],
    ['without the protocol beside it', (ticket: string) => `ticket.${ticket}`, ORIGIN],
    ['with a second one', (ticket: string) => `${usual(ticket)}, ticket.x`, ORIGIN],
  ])('does not take a ticket %s', async (_name, protocols, origin) => {
    const headers = await withTicket(protocols)
    if (origin === undefined) delete (headers as { origin?: string }).origin
    expect(await judge(headers)).toMatchObject({ status: 401 })
  })

  it('does not take a ticket of a program, which needs none', async () => {
    const headers = { 'sec-websocket-protocol': usual(await tickets.issue(principal, undefined)) }
    expect(await judge(headers)).toMatchObject({ status: 401 })
  })

  it('does not take two credentials at once', async () => {
    expect(await judge({ ...(await withTicket(usual)), authorization: bearer })).toMatchObject({
      status: 401,
    })
  })

  it.each([
    'null',
    '',
    'http://evil.example',
    `${ORIGIN}.evil.example`,
    'http://soc.example',
    'http://SOC.example:8080',
    'ws://soc.example:8080',
    `${ORIGIN}/`,
    `${ORIGIN}, ${ORIGIN}`,
  ])('refuses the Origin %j even with a good token', async origin => {
    expect(await judge({ authorization: bearer, origin })).toMatchObject({ status: 403 })
  })

  it('takes exactly the origins that are configured', async () => {
    const origins = ['https://soc.example']
    expect(await judge({ authorization: bearer, origin: 'https://soc.example' }, { origins })).toEqual({
      principal,
    })
    for (const origin of [
      ORIGIN,
      'https://evil-soc.example',
      'https://soc.example.evil',
      'https://soc.example:443',
    ]) {
      expect(await judge({ authorization: bearer, origin }, { origins })).toMatchObject({ status: 403 })
    }
  })

  it.each([`/ws?token=${accessToken}`, `/ws?access_token=${accessToken}`, '/ws?', '/ws?x=1'])(
    'refuses an address with a query, even with a good token: %s',
    async url => {
      expect(await judge({ authorization: bearer }, { url })).toMatchObject({ status: 400 })
    },
  )

  it.each(['/', '/ws/', '//ws', '/WS', '/ws#x', '/auth/login', 'http://soc.example/ws'])(
    'knows no other path: %s',
    async url => {
      expect(await judge({ authorization: bearer }, { url })).toMatchObject({ status: 404 })
    },
  )

  it('upgrades nothing but GET', async () => {
    expect(await judge({ authorization: bearer }, { method: 'POST' })).toMatchObject({ status: 405 })
  })

  it('says so when tickets cannot be redeemed at the moment, and passes on what it does not expect', async () => {
    const failing = (error: Error) => ({
      auth,
      tickets: { ...tickets, redeem: () => Promise.reject(error) },
      origins: [],
    })
    const request = { method: 'GET', url: '/ws', headers: { host: HOST, ...(await withTicket(usual)) } }
    const away = new SentinelError('NS_SERVICE_UNREACHABLE', 'redis is away')
    expect(await judgeUpgrade(request, failing(away))).toMatchObject({ status: 503 })
    await expect(judgeUpgrade(request, failing(new Error('defect')))).rejects.toThrow('defect')
  })
})
