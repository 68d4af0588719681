import type { ReadStream, WriteStream } from 'node:tty'
import { SentinelError } from '../../runtime/errors.ts'

const ENTER = '\r\n'
/** Ctrl-C and Ctrl-D. */
const INTERRUPT = '\u{3}\u{4}'
/** Backspace, as either kind of terminal sends it. */
const RUBOUT = '\u{8}\u{7f}'

interface Terminal {
  readonly input: Pick<ReadStream, 'setRawMode' | 'setEncoding' | 'on' | 'off' | 'resume' | 'pause'>
  readonly output: Pick<WriteStream, 'write'>
}

/** Asks for a password at a terminal, without showing it. Throws NS_USAGE when none is given (Ctrl-C, Ctrl-D). */
export const askPassword = async (question: string, { input, output }: Terminal): Promise<string> => {
  output.write(question)
  input.setRawMode(true)
  input.setEncoding('utf8')
  const answer = Promise.withResolvers<string>()
  let typed: string[] = []
  const onData = (text: string) => {
    for (const character of text) {
      if (INTERRUPT.includes(character))
        return answer.reject(new SentinelError('NS_USAGE', 'no password was given'))
      if (ENTER.includes(character)) return answer.resolve(typed.join(''))
      typed = RUBOUT.includes(character) ? typed.slice(0, -1) : [...typed, character]
    }
  }
  input.on('data', onData)
  input.resume()
  try {
    return await answer.promise
  } finally {
    input.off('data', onData)
    input.setRawMode(false)
    input.pause()
    output.write('\n')
  }
}
