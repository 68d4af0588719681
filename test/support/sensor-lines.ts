import { createRandom, type Random } from '../../models/trainers/random.ts'

/** What sensors send, and how badly. */
export interface SensorLinesOptions {
  readonly seed: number
  /** Sources of events; a few of them make most of the events. */
  readonly entities?: number
  /** The limit of a record, in bytes: what becomes of the long lines is now under it and now over it. */
  readonly limit?: number
}

/** A source of raw records that never ends: the same ones for the same options. */
export interface SensorLines {
  /** The value of the next raw record; null is a tombstone. */
  next(): Buffer | null
}

type Line = Readonly<Record<string, unknown>>
type Maker = (time: number, ip: string) => Line

/** Where the clock of the sensors stands at the first event, in ms since 1970; long enough ago never to be ahead. */
const BEGIN = Date.UTC(2024, 0, 1)
/** Lines that may come a second time. */
const REMEMBERED = 64

const iso = (time: number) => new Date(time).toISOString()

/** How the lines of each kind of sensor look, by how often they come. */
const makers = (random: Random): readonly (readonly [weight: number, make: Maker])[] => {
  const pick = <T>(...choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0]
  const hex = (digits: number) => Array.from({ length: digits }, () => random.below(16).toString(16)).join('')
  const cowrie = (time: number, ip: string, rest: Line): Line => ({
    sensor: `cowrie-${random.below(3)}`,
    timestamp: iso(time),
    src_ip: ip,
    src_port: 1_024 + random.below(60_000),
    session: hex(12),
    protocol: pick('ssh', 'ssh', 'ssh', 'telnet'),
    ...rest,
  })
  const login: Maker = (time, ip) => {
    const [username, password] = [pick('root', 'admin', 'pi', `user${random.below(40)}`), hex(8)]
    const outcome = random.below(20) === 0 ? 'success' : 'failed'
    const message = `login attempt [${username}/${password}] ${outcome}`
    return cowrie(time, ip, { eventid: `cowrie.login.${outcome}`, username, password, message })
  }
  const command: Maker = (time, ip) => {
    const input = `${pick('wget', 'curl -O', 'cat', 'chmod +x')} /tmp/${hex(random.below(30))}`
    return cowrie(time, ip, { eventid: 'cowrie.command.input', input, message: `CMD: ${input}` })
  }
  const conn: Maker = (time, ip) => ({
    ts: time / 1_000,
    uid: `C${hex(16)}`,
    'id.orig_h': ip,
    'id.orig_p': 1_024 + random.below(60_000),
    'id.resp_h': `10.0.${random.below(4)}.${random.below(50)}`,
    'id.resp_p': pick(22, 80, 443, 445, 3_389, random.below(65_536)),
    proto: pick('tcp', 'tcp', 'udp'),
    duration: random.next() * 10,
    orig_bytes: random.below(5_000),
    resp_bytes: random.below(50_000),
    conn_state: pick('SF', 'S0', 'REJ', 'RSTR'),
    orig_pkts: random.below(40),
    resp_pkts: random.below(40),
  })
  const dns: Maker = (time, ip) => ({
    ts: time / 1_000,
    uid: `C${hex(16)}`,
    'id.orig_h': ip,
    'id.orig_p': 1_024 + random.below(60_000),
    'id.resp_h': '10.0.0.53',
    'id.resp_p': 53,
    proto: 'udp',
    trans_id: random.below(65_536),
    query: `${hex(random.below(20))}.example.com`,
    qtype_name: 'A',
    rcode_name: pick('NOERROR', 'NXDOMAIN'),
  })
  const alert: Maker = (time, ip) => ({
    timestamp: iso(time),
    flow_id: random.below(1e9),
    event_type: 'alert',
    src_ip: ip,
    src_port: 1_024 + random.below(60_000),
    dest_ip: `10.0.${random.below(4)}.${random.below(50)}`,
    dest_port: pick(22, 80, 445),
    proto: 'TCP',
    alert: {
      action: 'allowed',
      signature_id: 2_001_000 + random.below(30),
      signature: 'ET SCAN Potential SSH Scan',
      category: 'Attempted Information Leak',
      severity: 1 + random.below(3),
    },
  })
  const canary: Maker = (time, ip) => ({
    node_id: `canary-${random.below(2)}`,
    logtype: 4_002,
    src_host: ip,
    src_port: 1_024 + random.below(60_000),
    dst_host: '10.0.0.9',
    dst_port: 22,
    logdata: { USERNAME: pick('root', 'admin'), PASSWORD: hex(6), REMOTEVERSION: 'SSH-2.0-Go' },
    utc_time: iso(time).replace('T', ' ').replace('Z', '000'),
  })
  return [
    [40, login],
    [10, command],
    [25, conn],
    [10, dns],
    [8, alert],
    [7, canary],
  ]
}

/** Records that no source takes, each for another reason. */
const poison: readonly ((random: Random) => Buffer | null)[] = [
  () => null,
  () => Buffer.alloc(0),
  random => Buffer.from(`not json ${random.below(1e9)}`),
  random => Buffer.from(JSON.stringify({ unknown: random.below(1e9) })),
  random => Buffer.from([0xff, 0xfe, random.below(256)]),
]

/**
 * Raw records as a mixed estate of sensors sends them: hundreds of sources, of which a few are busy; events that are late,
 * dated in the future, sent twice, several in a record; records that are no events, and some that are so long that what
 * becomes of them is over a limit.
 */
export const sensorLines = ({ seed, entities = 400, limit = 20_000 }: SensorLinesOptions): SensorLines => {
  const random = createRandom(seed)
  const kinds = makers(random)
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0)
  const sent: Buffer[] = []
  let clock = BEGIN

  const entity = () => {
    // The square makes the first tenth of the sources send a third of the events, the cube nearly half.
    const n = Math.floor(entities * random.next() ** 3)
    return `198.18.${n >> 8}.${n & 255}`
  }
  const time = () => {
    clock += random.below(2_000)
    const chance = random.below(200)
    if (chance < 6) return clock - random.below(6 * 3_600_000)
    if (chance === 6) return Date.UTC(2099, 0, 1)
    return clock
  }
  const line = (): Line => {
    let at = random.below(total)
    for (const [weight, make] of kinds) {
      if (at < weight) return make(time(), entity())
      at -= weight
    }
    return {}
  }
  const long = (): Line => ({
    eventid: 'cowrie.command.input',
    sensor: 'cowrie-0',
    timestamp: iso(time()),
    src_ip: entity(),
    session: 'long',
    protocol: 'ssh',
    // An event holds the line and the first 8 KiB of the command besides; a threat holds the event.
    input: `echo ${'x'.repeat(Math.floor(limit * (0.565 + 0.013 * random.next())))}`,
  })
  const text = (): string => {
    const chance = random.below(1_000)
    if (chance < 8) return JSON.stringify(long())
    if (chance < 15) return JSON.stringify(Array.from({ length: 2 + random.below(4) }, line))
    if (chance < 20)
      return Array.from({ length: 2 + random.below(4) }, () => JSON.stringify(line())).join('\n')
    return JSON.stringify(line())
  }

  return {
    next: () => {
      const chance = random.below(100)
      if (chance === 0) return poison[random.below(poison.length)]?.(random) ?? null
      const again = chance < 3 ? sent[random.below(sent.length)] : undefined
      if (again !== undefined) return again
      const value = Buffer.from(text())
      if (sent.length < REMEMBERED) sent.push(value)
      else sent[random.below(REMEMBERED)] = value
      return value
    },
  }
}
