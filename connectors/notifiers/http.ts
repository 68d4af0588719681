import { flag, section, setting } from '../../runtime/config.ts'
import { messageOf, SentinelError } from '../../runtime/errors.ts'
import { inert } from '../../runtime/inert.ts'

/** Settings of all notifiers that speak HTTP. */
export const notifyHttpConfig = section('notifyHttp', {
  allowHttp: setting(
    'NOTIFY_ALLOW_HTTP',
    flag().default(false),
    'Whether webhooks and Slack may have http:// addresses, over which anyone on the way reads alerts.',
  ),
})

const TIMEOUT_MS = 10_000
const MOST_ANSWER_BYTES = 1_024
const SHOWN_ANSWER = 200

/** Answers of the 4xx range that are worth another attempt: timeout, too early, too many requests. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 425, 429])

/** Refuses http:// unless it is allowed. Throws NS_CONFIG_INVALID; of the address it tells the host only. */
export const requireHttps = (variable: string, url: string, allowHttp: boolean): URL => {
  const parsed = new URL(url)
  if (parsed.protocol === 'https:' || allowHttp) return parsed
  throw new SentinelError(
    'NS_CONFIG_INVALID',
    `${variable}: the address at ${parsed.host} is not https://; NOTIFY_ALLOW_HTTP=true permits it`,
  )
}

/** The `Retry-After` of an answer (RFC 9110, 10.2.3) in ms from now; undefined when it has none that can be read. */
const retryAfterMs = (header: string | null, now: number): number | undefined => {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** The beginning of an answer; the rest is not read. */
const readBeginning = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    size += chunk.length
    // Leaving the loop cancels the body, and with it the connection.
    if (size >= MOST_ANSWER_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, MOST_ANSWER_BYTES).toString('utf8')
}

const failed = (message: string, cause?: unknown) =>
  new SentinelError('NS_NOTIFICATION_FAILED', message, { cause })

/** `fetch failed` says nothing; why is in the error beneath. */
const reasonOf = (error: unknown): string => {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined
  return messageOf(cause ?? error)
}

/**
 * Posts JSON, follows no redirect, waits 10 s and reads no more than 1 KiB of the answer. Throws NS_NOTIFICATION_FAILED
 * for what may pass (no answer, 5xx, 408, 425, 429), with `retryAfterMs` where the answer has it, and
 * NS_NOTIFICATION_REFUSED for any other answer that is not 2xx. Messages do not tell the address.
 */
export const postJson = async ({
  url,
  body,
  headers = {},
  signal,
}: {
  readonly url: URL
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}): Promise<void> => {
  let response: Response
  let answer: string
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/json', 'user-agent': 'netsentinel', ...headers },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    answer = inert(await readBeginning(response)).slice(0, SHOWN_ANSWER)
  } catch (error) {
    throw failed(`no answer: ${reasonOf(error)}`, error)
  }
  const { status } = response
  if (response.ok) return
  const said = `answered ${status}${answer === '' ? '' : `: ${answer}`}`
  if (status < 500 && !TEMPORARY.has(status)) {
    const why = status >= 300 && status < 400 ? `${said} (redirects are not followed)` : said
    throw new SentinelError('NS_NOTIFICATION_REFUSED', why)
  }
  const wait = retryAfterMs(response.headers.get('retry-after'), Date.now())
  throw Object.assign(failed(said), wait === undefined ? {} : { retryAfterMs: wait })
}
