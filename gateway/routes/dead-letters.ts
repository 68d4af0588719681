import type { FastifyInstance } from 'fastify'
import { noteAct, type RouteDeps, sendProblem } from './route.ts'
import {
  answerSchema,
  anyText,
  countSchema,
  flagSchema,
  limitOf,
  limitSchema,
  listSchema,
  objectSchema,
  textSchema,
} from './schemas.ts'

const DEFAULT_PAGE = 100
const MAX_REPLAY = 100

const letterId = { type: 'string', pattern: '^[A-Za-z0-9._-]{1,200}-[0-9]{1,9}-[0-9]{1,15}$' } as const
const timeText = { type: 'string', pattern: '^[0-9]{1,15}$', description: 'In ms since 1970 (UTC).' } as const

const querySchema = objectSchema(
  {
    code: textSchema(1, 64),
    stage: textSchema(1, 64),
    source: { ...textSchema(1, 249), description: 'Topic that the record came from.' },
    from: timeText,
    to: timeText,
    pending: { type: 'string', enum: ['true', 'false'], description: 'Only those that are not replayed.' },
    limit: limitSchema,
  },
  [],
)

interface Query {
  readonly code?: string
  readonly stage?: string
  readonly source?: string
  readonly from?: string
  readonly to?: string
  readonly pending?: string
  readonly limit?: string
}

const maskedSchema = {
  type: ['object', 'null'],
  description: 'Text with its secrets masked, or how many bytes there are that are none.',
  additionalProperties: false,
  properties: { text: anyText, bytes: countSchema },
} as const

const letterSchema = answerSchema(
  {
    id: anyText,
    time: anyText,
    code: anyText,
    reason: anyText,
    stage: anyText,
    source: answerSchema({ topic: anyText, partition: countSchema, offset: countSchema }),
    attempt: countSchema,
    replayed: {
      type: ['object', 'null'],
      required: ['into', 'time'],
      additionalProperties: false,
      properties: { into: anyText, time: anyText },
    },
    key: maskedSchema,
    headers: listSchema(answerSchema({ name: anyText, value: maskedSchema })),
    value: maskedSchema,
  },
  'DeadLetter',
)

const replaySchema = objectSchema(
  {
    ids: { type: 'array', items: letterId, minItems: 1, maxItems: MAX_REPLAY, uniqueItems: true },
    again: { ...flagSchema, description: 'Also those that were replayed before.' },
  },
  ['ids'],
)

const tags = ['dead letters'] as const

/** `/dead-letters`: what no stage could take, as `netsentinel dlq` shows it, masked, and writes it back. */
export const addDeadLetterRoutes = (app: FastifyInstance, deps: RouteDeps): void => {
  const { audit, backOffice } = deps
  const { deadLetters } = backOffice

  app.get<{ Querystring: Query }>(
    '/dead-letters',
    {
      config: { policy: 'dead-letters:read' },
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Dead letters, the latest first; the next page is that before the last one of this',
        tags,
        querystring: querySchema,
        response: { 200: answerSchema({ deadLetters: listSchema(letterSchema) }) },
      },
    },
    async request => {
      const { from, to, pending, limit, ...rest } = request.query
      const query = {
        ...rest,
        ...(from === undefined ? {} : { from: Number(from) }),
        ...(to === undefined ? {} : { to: Number(to) }),
        pending: pending === 'true',
        limit: limitOf(limit, DEFAULT_PAGE),
      }
      return { deadLetters: await deadLetters.list(query) }
    },
  )

  app.get<{ Params: { id: string } }>(
    '/dead-letters/:id',
    {
      config: { policy: 'dead-letters:read', problems: [404] },
      schema: {
        operationId: 'getDeadLetter',
        summary: 'A dead letter, its secrets masked',
        tags,
        params: objectSchema({ id: letterId }, ['id']),
        response: { 200: letterSchema },
      },
    },
    async (request, reply) => (await deadLetters.find(request.params.id)) ?? sendProblem(reply, 404),
  )

  app.post<{ Body: { ids: string[]; again?: boolean } }>(
    '/dead-letters/replay',
    {
      config: { policy: 'dead-letters:replay', problems: [409] },
      schema: {
        operationId: 'replayDeadLetters',
        summary: 'Write dead letters back to where they came from',
        tags,
        body: replaySchema,
        response: {
          200: answerSchema({
            replayed: listSchema(anyText),
            replayedBefore: countSchema,
            withheld: countSchema,
            missing: countSchema,
          }),
        },
      },
    },
    async (request, reply) => {
      const { ids, again = false } = request.body
      const event = 'dead-letters.replay'
      const report = await deadLetters.replay(ids, { again })
      if ('refused' in report) {
        await noteAct(audit, request, { event, outcome: 'refused', detail: { ids: ids.join(' ') } })
        return sendProblem(reply, 409, report.refused)
      }
      const { replayed, ...counts } = report
      const detail = { ...counts, replayed: replayed.length, ids: replayed.join(' ') }
      await noteAct(audit, request, { event, detail })
      return report
    },
  )
}
