import type { FastifySchema, RouteOptions } from 'fastify'
import type { Policy, ProblemStatus } from './route.ts'

/** What a route is, as it states it itself. */
export interface Operation {
  readonly method: string
  /** Path with parameters as Fastify writes them: `/users/:id`. */
  readonly url: string
  readonly policy: Policy
  readonly id: string
  readonly summary: string
  readonly tags: readonly string[]
  /** Schemas of what comes in. */
  readonly input: Pick<FastifySchema, 'body' | 'params' | 'querystring'>
  /** Schemas of the answers, by status. */
  readonly answers: Readonly<Record<string, object>>
  /** Every status that is answered with a problem. */
  readonly problems: readonly number[]
}

declare module 'fastify' {
  interface FastifyInstance {
    /** What its routes state of themselves. */
    operations: readonly Operation[]
  }
}

/** Whatever is asked, it may go wrong or come at a bad time. */
const ALWAYS = [500, 503] as const

const problemsOf = (method: string, schema: FastifySchema, policy: Policy, own: readonly ProblemStatus[]) => {
  const takesBody = method !== 'GET'
  const isChecked = takesBody || schema.params !== undefined || schema.querystring !== undefined
  const found: readonly number[] = [
    ...(isChecked ? [400] : []),
    ...(policy === 'public' ? [] : [401]),
    ...(policy === 'public' || policy === 'authenticated' ? [] : [403]),
    ...(takesBody ? [413, 415] : []),
    ...own,
    ...ALWAYS,
  ]
  return [...new Set(found)].sort((a, b) => a - b)
}

/**
 * Reads what a route states of itself. Throws an Error when it lacks a policy, a name, a summary, a tag or the schema of an
 * answer: such a route keeps the gateway from starting.
 */
export const operationsOf = (route: RouteOptions): readonly Operation[] => {
  const { url, config, schema = {} } = route
  const policy = config?.policy
  if (policy === undefined) throw new Error(`route ${url} states no policy`)
  const { operationId: id, summary, tags = [], response } = schema
  if (id === undefined || summary === undefined || tags.length === 0) {
    throw new Error(`route ${url} states no operationId, no summary or no tags`)
  }
  const answers = (response ?? {}) as Readonly<Record<string, object>>
  if (!Object.keys(answers).some(status => status.startsWith('2'))) {
    throw new Error(`route ${url} states no schema of its answer`)
  }
  return [route.method].flat().map(method => ({
    method,
    url,
    policy,
    id,
    summary,
    tags,
    input: schema,
    answers,
    problems: problemsOf(method, schema, policy, config?.problems ?? []).filter(
      status => answers[status] === undefined,
    ),
  }))
}
