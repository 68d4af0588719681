import type { Channel, ServerMessage } from '../../schemas/wire.ts'
import { textFrame } from './frame.ts'
import type { Hub } from './hub.ts'

/** A channel that tells what holds at present: it has neither positions nor a history, and who comes gets what holds. */
export type NoticeChannel = Extract<Channel, 'models' | 'system'>

/** Whether a channel is one of those. */
export const isNoticeChannel = (channel: Channel): channel is NoticeChannel =>
  channel === 'models' || channel === 'system'

/** What holds at present, and who is told of it. */
export interface Notices {
  /** Tells a channel's subscribers; it holds until another message of the same key, or for ever. */
  post(channel: NoticeChannel, key: string, message: ServerMessage): void
  /** Tells them that something holds no longer. */
  end(channel: NoticeChannel, key: string, message: ServerMessage): void
  /** What holds in a channel. */
  latest(channel: NoticeChannel): readonly ServerMessage[]
}

/** Starts with nothing to tell. */
export const createNotices = (hub: Pick<Hub, 'deliver'>): Notices => {
  const held: Readonly<Record<NoticeChannel, Map<string, ServerMessage>>> = {
    models: new Map(),
    system: new Map(),
  }
  const tell = (channel: NoticeChannel, message: ServerMessage) =>
    hub.deliver(channel, { frame: () => textFrame(JSON.stringify(message)) })
  return {
    post: (channel, key, message) => {
      held[channel].set(key, message)
      tell(channel, message)
    },
    end: (channel, key, message) => {
      held[channel].delete(key)
      tell(channel, message)
    },
    latest: channel => [...held[channel].values()],
  }
}
