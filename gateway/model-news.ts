import type { ServerMessage } from '../schemas/wire.ts'
import type { BackOfficeNews, ModelPointers, RetrainingJob } from './back-office.ts'
import type { Notices } from './sockets/notices.ts'

/** What came of a pointer to a model. */
type ModelNotice = Extract<ServerMessage, { type: 'model' }>

const ROLES = ['champion', 'challenger'] as const

const noticeOf = ({ id, state, trigger, progress, result }: RetrainingJob) =>
  ({ type: 'retraining', job: id, state, trigger, progress, result }) as const

/**
 * Tells the channel `models` when the champion or the challenger is another one, and how far retrainings have come. Whoever
 * comes later is told who they are, and which retrainings are under way.
 */
export const createModelNews = (notices: Pick<Notices, 'post' | 'end'>): BackOfficeNews => {
  const told = new Map<(typeof ROLES)[number], number>()
  const tell = (role: (typeof ROLES)[number], pointer: ModelPointers['champion']) => {
    if (pointer === undefined) {
      if (!told.delete(role)) return
      const gone: ModelNotice = {
        type: 'model',
        role,
        event: 'withdrawn',
        version: null,
        at: null,
        reason: null,
      }
      notices.end('models', role, gone)
      return
    }
    const { version, sequence, back, at, reason } = pointer
    if (told.get(role) === sequence) return
    told.set(role, sequence)
    const event = back ? 'rolled-back' : role === 'champion' ? 'promoted' : 'tried'
    notices.post('models', role, { type: 'model', role, event, version, at, reason })
  }
  return {
    pointers: pointers => {
      for (const role of ROLES) tell(role, pointers[role])
    },
    retraining: job => {
      const isOver = job.state === 'completed' || job.state === 'failed'
      const say = isOver ? notices.end : notices.post
      say('models', `retraining ${job.id}`, noticeOf(job))
    },
  }
}
