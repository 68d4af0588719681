import { createRandom } from '../../models/trainers/random.ts'

/** Raw records of an attack, as sensors would write them. */
export interface Attack {
  /** The alert rule that is for it. */
  readonly rule: string
  readonly entity: string
  readonly lines: readonly string[]
}

const iso = (time: number) => new Date(time).toISOString()

const cowrieLogin = (ip: string, time: number, username: string, password: string) =>
  JSON.stringify({
    session: 'f00dcafe0001',
    protocol: 'ssh',
    src_ip: ip,
    src_port: 40_000,
    dst_ip: '192.0.2.7',
    dst_port: 22,
    username,
    password,
    eventid: 'cowrie.login.failed',
    sensor: 'cowrie-1',
    timestamp: iso(time),
    message: `login attempt [${username}/${password}] failed`,
  })

const zeekConn = (ip: string, time: number, fields: Readonly<Record<string, unknown>>) =>
  JSON.stringify({
    ts: time / 1000,
    uid: `C${time.toString(36)}`,
    'id.orig_h': ip,
    'id.orig_p': 50_000,
    'id.resp_h': '198.51.100.20',
    'id.resp_p': 443,
    proto: 'tcp',
    ...fields,
  })

const times = (count: number, start: number, every: number): number[] =>
  Array.from({ length: count }, (_, i) => start + i * every)

/** 30 passwords for one user within a minute. */
export const bruteForce = (ip: string, start: number): Attack => ({
  rule: 'brute-force',
  entity: `ip:${ip}`,
  lines: times(30, start, 2_000).map((time, i) => cowrieLogin(ip, time, 'root', `secret-${i}`)),
})

/** One password for 30 users, one every 20 s: slow enough not to lock anybody out. */
export const passwordSpray = (ip: string, start: number): Attack => ({
  rule: 'password-spray',
  entity: `ip:${ip}`,
  lines: times(30, start, 20_000).map((time, i) => cowrieLogin(ip, time, `user.${i}`, 'Winter2026!')),
})

/** 40 ports of one target within 20 s, refused or without an answer. */
export const portScan = (ip: string, start: number): Attack => ({
  rule: 'port-scan',
  entity: `ip:${ip}`,
  lines: times(40, start, 500).map((time, i) =>
    zeekConn(ip, time, {
      'id.resp_p': 1 + ((i * 211) % 10_000),
      duration: 0.0001,
      orig_bytes: 0,
      resp_bytes: 0,
      conn_state: i % 3 === 0 ? 'S0' : 'REJ',
      orig_pkts: 1,
      resp_pkts: i % 3 === 0 ? 0 : 1,
    }),
  ),
})

/** 30 calls home, one a minute give or take 5 %, each like the others. */
export const beaconing = (ip: string, start: number): Attack => {
  const random = createRandom(7)
  return {
    rule: 'beaconing',
    entity: `ip:${ip}`,
    lines: times(30, start, 60_000).map(time =>
      zeekConn(ip, time + random.below(6_000) - 3_000, {
        service: 'ssl',
        duration: 0.4,
        orig_bytes: 620 + random.below(20),
        resp_bytes: 1_200 + random.below(40),
        conn_state: 'SF',
        orig_pkts: 9,
        resp_pkts: 8,
      }),
    ),
  }
}
