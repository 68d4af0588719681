import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import {
  areSet,
  type Environment,
  flag,
  int,
  list,
  loadConfig,
  loadPartOfConfig,
  port,
  redactConfig,
  renderConfigMarkdown,
  renderEnvExample,
  section,
  setting,
} from './config.ts'
import { isSentinelError, messageOf } from './errors.ts'

const server = section('server', {
  port: setting('TEST_PORT', port().default(8080), 'Port that is listened on.'),
  hosts: setting('TEST_HOSTS', list().default(['a']), 'Hosts | names.'),
  tls: setting('TEST_TLS', flag().default(false), 'Whether TLS is on.'),
  mode: setting('TEST_MODE', z.enum(['fast', 'safe']).optional(), 'How it runs.'),
})
const login = section('login', {
  user: setting('TEST_USER', z.string().min(1), 'User name.'),
  password: setting('TEST_PASSWORD', z.string().min(8).optional(), 'Password.', { secret: true }),
})
const sections = { server, login }
const USER = { TEST_USER: 'eve' }

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netsentinel-config-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const write = (name: string, content: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const problemOf = (env: Environment): string => {
  try {
    loadConfig(sections, env)
  } catch (error) {
    expect(isSentinelError(error, 'NS_CONFIG_INVALID')).toBe(true)
    return messageOf(error)
  }
  throw new Error('the configuration was taken')
}

describe('loadConfig', () => {
  it('uses defaults for what nobody sets, and freezes the result', () => {
    const config = loadConfig(sections, USER)
    expect(config).toEqual({ server: { port: 8080, hosts: ['a'], tls: false }, login: { user: 'eve' } })
    expect(Object.isFrozen(config) && Object.isFrozen(config.server)).toBe(true)
  })

  it('prefers the environment to the file, the file to what runs here, and that to the default', () => {
    const file = { NETSENTINEL_CONFIG: write('order.json', { server: { port: 2, hosts: ['file'] } }) }
    const running = { TEST_PORT: '3', TEST_HOSTS: 'here', TEST_MODE: 'safe' }
    const { server: values } = loadConfig(sections, { ...USER, ...file, TEST_PORT: '1' }, running)
    expect(values).toEqual({ port: 1, hosts: ['file'], tls: false, mode: 'safe' })
  })

  it.each([
    ['TEST_HOSTS', ' a, b ,,c', { hosts: ['a', 'b', 'c'] }],
    ['TEST_TLS', 'yes', { tls: true }],
    ['TEST_TLS', '0', { tls: false }],
    ['TEST_PORT', '0', { port: 0 }],
    ['TEST_PORT', ' 9092 ', { port: 9092 }],
    ['TEST_PORT', '', { port: 8080 }],
    ['TEST_MODE', 'fast', { mode: 'fast' }],
  ])('reads %s=%p', (name, value, expected) => {
    expect(loadConfig(sections, { ...USER, [name]: value }).server).toMatchObject(expected)
  })

  it.each(['65536', '-1', '1.5', 'http', ' ', '0x10', '1e3'])('refuses the port %p', value => {
    expect(problemOf({ ...USER, TEST_PORT: value })).toMatch(/^ {2}server\.port \(TEST_PORT\): \S/m)
  })

  it.each([null, true, '', [], {}])('refuses %p for a number in the file', value => {
    const path = write('number.json', { server: { port: value } })
    expect(problemOf({ ...USER, NETSENTINEL_CONFIG: path })).toContain('server.port (TEST_PORT): ')
  })

  it('names every problem at once, each with key and variable', () => {
    const lines = problemOf({ TEST_MODE: 'odd', TEST_TLS: 'perhaps' }).split('\n')
    expect(lines).toEqual([
      'the configuration is not valid:',
      '  server.tls (TEST_TLS): is not of the right type',
      expect.stringMatching(/^ {2}server\.mode \(TEST_MODE\): .*fast.*safe/),
      '  login.user (TEST_USER): is required',
    ])
  })

  it('refuses keys and sections that it does not know', () => {
    const path = write('strict.json', { server: { prot: 1 }, sever: {}, login: 'eve' })
    const problem = problemOf({ ...USER, NETSENTINEL_CONFIG: path })
    expect(problem).toContain('server.prot: no such setting')
    expect(problem).toContain('sever: no such section')
    expect(problem).toContain('login: is not an object')
  })

  it('minds no other section where a part is read', () => {
    const path = write('whole.json', { server: { port: 1 }, sever: {} })
    expect(loadPartOfConfig({ server }, { NETSENTINEL_CONFIG: path }).server.port).toBe(1)
  })

  it.each(['[1]', '{', '"text"'])('refuses %s as a configuration file', content => {
    expect(problemOf({ ...USER, NETSENTINEL_CONFIG: write('bad.json', content) })).toContain('bad.json')
  })

  it('refuses a configuration file that is not there', () => {
    expect(problemOf({ ...USER, NETSENTINEL_CONFIG: join(folder, 'none.json') })).toContain('none.json')
  })

  it('reads a secret from a file, without the line break that editors add', () => {
    const path = write('secret', 'correct horse \n')
    expect(loadConfig(sections, { ...USER, TEST_PASSWORD_FILE: path }).login.password).toBe('correct horse ')
  })

  it('does not read _FILE for what is not secret', () => {
    expect(problemOf({ TEST_USER_FILE: write('user', 'eve') })).toContain(
      'login.user (TEST_USER): is required',
    )
  })

  it('refuses a secret given twice, and one whose file is not there', () => {
    const path = write('secret2', 'correct horse')
    const twice = problemOf({ ...USER, TEST_PASSWORD: 'battery staple', TEST_PASSWORD_FILE: path })
    expect(twice).toContain('TEST_PASSWORD: both it and TEST_PASSWORD_FILE are set')
    expect(twice).not.toContain('battery')
    expect(problemOf({ ...USER, TEST_PASSWORD_FILE: join(folder, 'none') })).toContain(
      'TEST_PASSWORD_FILE: ENOENT',
    )
  })

  it('never repeats the value of a secret', () => {
    const problem = problemOf({ ...USER, TEST_PASSWORD: 'hunter2' })
    expect(problem).toContain('login.password (TEST_PASSWORD): is not acceptable')
    expect(problem).not.toContain('hunter2')
  })
})

describe('areSet', () => {
  it('takes the _FILE form for a value, and an empty variable for none', () => {
    expect(areSet(['A', 'B'], { A: '1', B_FILE: '/b' })).toBe(true)
    expect(areSet(['A', 'B'], { A: '1', B: '' })).toBe(false)
  })
})

describe('redactConfig', () => {
  it('shows everything but secrets, and whether a secret is set', () => {
    const env = { ...USER, TEST_PASSWORD: 'correct horse' }
    expect(redactConfig(sections, loadConfig(sections, env))).toMatchObject({
      server: { port: 8080 },
      login: { user: 'eve', password: '[redacted]' },
    })
    expect(redactConfig(sections, loadConfig(sections, USER))['login']).toEqual({ user: 'eve' })
  })
})

describe('the rendered reference', () => {
  it('has a row for each setting, with default, need and secret', () => {
    const markdown = renderConfigMarkdown([server, login])
    expect(markdown).toContain('| `port` | `TEST_PORT` | `8080` | Port that is listened on. |')
    expect(markdown).toContain('| `hosts` | `TEST_HOSTS` | `a` | Hosts \\| names. |')
    expect(markdown).toContain('| `mode` | `TEST_MODE` | none | How it runs. |')
    expect(markdown).toContain('| `user` | `TEST_USER` | **required** | User name. |')
    expect(markdown).toContain(
      '| `password` | `TEST_PASSWORD` | none | Password. Secret: `TEST_PASSWORD_FILE` also works. |',
    )
    expect(markdown.endsWith('|\n')).toBe(true)
  })

  it('gives an environment file in which everything is commented out', () => {
    const example = renderEnvExample([server, login])
    expect(example).toContain('# --- login\n# User name.\n#TEST_USER=\n# Password.\n#TEST_PASSWORD=\n')
    expect(example).toContain('#TEST_PORT=8080')
    expect(example.split('\n').filter(line => line !== '' && !line.startsWith('#'))).toEqual([])
  })

  it('has nothing for a setting that was not declared as one', () => {
    expect(() => renderEnvExample([section('bare', { size: int(0) })])).toThrow(/without setting\(\)/)
  })
})
