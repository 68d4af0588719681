import { describe, expect, it } from '@jest/globals'
import { type Command, commandHelp, numberOption, parseCommandLine, programHelp } from './command.ts'
import { EXIT } from './lifecycle.ts'

const replay: Command<unknown> = {
  summary: 'Send records.',
  operands: 'FILE…',
  details: 'FILE may be gzipped.',
  options: {
    rate: { type: 'string', value: 'N', doc: 'Records a second.' },
    once: { type: 'boolean', doc: 'Stop at the end.' },
  },
  run: async () => EXIT.ok,
}
const bare: Command<unknown> = { summary: 'Look at everything.', run: async () => EXIT.ok }

describe('parseCommandLine', () => {
  it('takes options before, between and after operands', () => {
    expect(parseCommandLine('replay', replay, ['a', '--rate', '5', 'b', '--once'])).toEqual({
      options: { rate: '5', once: true },
      operands: ['a', 'b'],
    })
    expect(parseCommandLine('replay', replay, ['--rate=5', '--', '--once'])).toEqual({
      options: { rate: '5' },
      operands: ['--once'],
    })
  })

  it('knows --help and -h of every command, whatever else is wrong with its operands', () => {
    expect(parseCommandLine('check', bare, ['--help']).options['help']).toBe(true)
    expect(parseCommandLine('check', bare, ['-h', 'stray']).options['help']).toBe(true)
  })

  it.each([
    ['an unknown option', ['--fast'], /^replay: Unknown option '--fast'$/],
    ['a value for a flag', ['--once=yes'], /replay: .*--once/],
    ['an option without its value', ['--rate'], /replay: .*--rate/],
  ])('refuses %s as wrong usage', (_what, args, message) => {
    expect(() => parseCommandLine('replay', replay, args)).toThrow(
      expect.objectContaining({ code: 'NS_USAGE', message: expect.stringMatching(message) }),
    )
  })

  it('refuses operands where the command takes none', () => {
    expect(() => parseCommandLine('check', bare, ['everything'])).toThrow("unexpected argument 'everything'")
  })
})

describe('numberOption', () => {
  const bounds = { min: 1, max: 100 }

  it('gives the number, or the fallback when the option is not there', () => {
    expect(numberOption({ rate: '2.5' }, 'rate', 7, bounds)).toBe(2.5)
    expect(numberOption({}, 'rate', 7, bounds)).toBe(7)
  })

  it.each(['', ' ', 'x', '5x', 'NaN', 'Infinity', '0', '101', '-1'])('refuses %j', text => {
    expect(() => numberOption({ rate: text }, 'rate', 7, bounds)).toThrow(
      expect.objectContaining({ code: 'NS_USAGE', message: expect.stringContaining('--rate') }),
    )
  })

  it('takes both bounds themselves', () => {
    expect(['1', '100'].map(text => numberOption({ rate: text }, 'rate', 7, bounds))).toEqual([1, 100])
  })
})

describe('commandHelp', () => {
  it('shows how it is called, what it is for, and each option with its value', () => {
    const help = commandHelp('replay', replay)
    expect(help.split('\n')[0]).toBe('usage: netsentinel replay [options] FILE…')
    expect(help).toContain('Send records.')
    expect(help).toContain('FILE may be gzipped.')
    expect(help).toMatch(/--rate N +Records a second\./)
    expect(help).toMatch(/--once +Stop at the end\./)
    expect(help).toMatch(/--help +Show this\./)
  })

  it('promises neither options nor operands that a command does not have', () => {
    expect(commandHelp('check', bare).split('\n')[0]).toBe('usage: netsentinel check')
  })
})

describe('programHelp', () => {
  it('lists every command, and every exit code', () => {
    const help = programHelp({ replay, check: bare })
    expect(help).toMatch(/^ {2}replay +Send records\.$/m)
    expect(help).toMatch(/^ {2}check +Look at everything\.$/m)
    for (const code of Object.values(EXIT)) expect(help).toMatch(new RegExp(`^ {2}${code} {2}\\w`, 'm'))
  })
})
