import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** A mail as the server got it. */
export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  /** Head and body, lines ended by LF. */
  readonly data: string
  /** What the client authenticated with, in base64. */
  readonly auth: string | undefined
}

/** A mail server that keeps what it gets. */
export interface SmtpServer {
  readonly port: number
  readonly mails: readonly ReceivedMail[]
  close(): Promise<void>
}

/** Replies that differ from those of a server that takes everything. */
export interface SmtpReplies {
  /** To `AUTH PLAIN`. */
  readonly auth?: string
  /** To the n-th `RCPT TO`, 0 for the first. */
  readonly rcpt?: (index: number) => string
  /** To the end of the n-th mail. */
  readonly data?: (index: number) => string
}

const addressIn = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? ''

/** Enough of SMTP (RFC 5321) on a plain socket for a client that logs in and sends. */
export const startSmtpServer = async (replies: SmtpReplies = {}): Promise<SmtpServer> => {
  const mails: ReceivedMail[] = []
  const sockets = new Set<Socket>()
  let recipients = 0
  let ended = 0
  const serve = async (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    const say = (line: string) => socket.write(`${line}\r\n`)
    let [from, auth]: [string, string | undefined] = ['', undefined]
    let to: string[] = []
    let data: string[] | undefined
    say('220 test ESMTP')
    for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (data !== undefined) {
        if (line !== '.') {
          data.push(line.replace(/^\.\./, '.'))
          continue
        }
        const reply = replies.data?.(ended++) ?? '250 taken'
        if (reply.startsWith('250')) mails.push({ from, to, data: data.join('\n'), auth })
        data = undefined
        say(reply)
        continue
      }
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'EHLO') {
        say('250-test')
        say('250 AUTH PLAIN')
      } else if (verb === 'AUTH') {
        auth = line.split(' ')[2]
        say(replies.auth ?? '235 welcome')
      } else if (verb === 'MAIL') {
        from = addressIn(line)
        to = []
        say('250 ok')
      } else if (verb === 'RCPT') {
        const reply = replies.rcpt?.(recipients++) ?? '250 ok'
        if (reply.startsWith('250')) to = [...to, addressIn(line)]
        say(reply)
      } else if (verb === 'DATA') {
        data = []
        say('354 go on')
      } else if (verb === 'QUIT') {
        say('221 bye')
        socket.end()
      } else say('250 ok')
    }
  }
  const server = createServer(socket => void serve(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the mail server has no port')
  return {
    port: address.port,
    mails,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
