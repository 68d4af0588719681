import type { FastifyInstance } from 'fastify'
import type { AlertStatus } from '../../schemas/generated.ts'
import { jsonSchemaOf } from '../../schemas/json-schema.ts'
import { visibleTo } from '../sockets/filter.ts'
import type { TriageEntry } from '../store/decisions.ts'
import { type HistoryQuery, historyQuery, matchesOf, recordQueryOf, sendPage } from './history-queries.ts'
import { type RouteDeps, sendProblem, whoIs } from './route.ts'
import {
  answerSchema,
  anyText,
  countSchema,
  idSchema,
  listSchema,
  objectSchema,
  textOrNull,
  textSchema,
  timeSchema,
  wordSchema,
} from './schemas.ts'

/** Decisions on an alert that are shown with it, the latest ones. */
const MOST_SHOWN = 500

/** An alert in an answer. */
export const alertSchema = jsonSchemaOf('Alert')

const querySchema = objectSchema(
  {
    ...historyQuery,
    status: wordSchema(['open', 'acknowledged', 'resolved', 'closed']),
    rule: textSchema(1, 256),
    assignee: textSchema(1, 256),
  },
  [],
)

interface AlertQuery extends HistoryQuery {
  readonly status?: AlertStatus
  readonly rule?: string
  readonly assignee?: string
}

/** What somebody decided about an alert. */
export const triageSchema = answerSchema(
  {
    id: anyText,
    kind: anyText,
    at: timeSchema,
    by: anyText,
    comment: textOrNull,
    assignee: textOrNull,
    verdict: textOrNull,
    revision: { ...countSchema, description: 'The revision of the alert that it makes, at the earliest.' },
  },
  'Triage',
)

/** A decision on an alert as others see it. */
export const viewOf = ({ decision, revision }: Pick<TriageEntry, 'decision' | 'revision'>) => {
  const { id, kind, at, by, comment, assignee, verdict } = decision
  return { id, kind, at, by, comment, assignee, verdict, revision }
}

const tags = ['alerts'] as const

/** `GET /alerts`: alerts as they stand, the latest first. `GET /alerts/:id`: one of them with all that was decided about it. */
export const addAlertRoutes = (app: FastifyInstance, { records, store }: RouteDeps): void => {
  app.get<{ Querystring: AlertQuery }>(
    '/alerts',
    {
      config: { policy: 'alerts:read', problems: [422] },
      schema: {
        operationId: 'listAlerts',
        summary: 'Alerts as they stand, the latest change first',
        tags,
        querystring: querySchema,
        response: { 200: answerSchema({ alerts: listSchema(alertSchema), next: textOrNull }) },
      },
    },
    async (request, reply) => {
      const { status, rule, assignee } = request.query
      const matches = matchesOf(request.query, whoIs(request), rule === undefined ? {} : { rule: [rule] })
      const { filter, ...rest } = recordQueryOf(request.query)
      const page = await records.list('alerts', {
        ...rest,
        filter: status === undefined ? filter : { ...filter, status },
        matches: alert => matches(alert) && (assignee === undefined || alert.assignee === assignee),
      })
      return sendPage(reply, 'alerts', page)
    },
  )

  app.get<{ Params: { id: string } }>(
    '/alerts/:id',
    {
      config: { policy: 'alerts:read', problems: [404] },
      schema: {
        operationId: 'getAlert',
        summary: 'An alert, who looks after it, and what was decided about it, the latest first',
        tags,
        params: idSchema,
        response: {
          200: answerSchema({
            alert: alertSchema,
            revision: { ...countSchema, description: 'What it has come to with all that was decided.' },
            assignee: textOrNull,
            triage: listSchema(triageSchema),
          }),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const alert = await records.find('alerts', id, visibleTo(whoIs(request)).matches)
      if (alert === undefined) return sendProblem(reply, 404)
      const triage = (await store.listTriage(id, { limit: MOST_SHOWN })).map(viewOf)
      const assigned = triage.find(({ kind }) => kind === 'assign')
      return {
        alert,
        revision: Math.max(alert.revision, triage[0]?.revision ?? 0),
        assignee: assigned === undefined ? alert.assignee : assigned.assignee,
        triage,
      }
    },
  )
}
