import { STATUS_CODES } from 'node:http'

/** Media type of every error that the gateway answers with. */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** An error as RFC 9457 describes it. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail?: string
}

/** Makes a problem; `detail` is for people and holds nothing that they did not send themselves. */
export const problem = (status: number, detail?: string): Problem => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  ...(detail === undefined ? {} : { detail }),
})
