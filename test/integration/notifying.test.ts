import { describe, expect, it } from '@jest/globals'
import type { Metrics } from '../../runtime/metrics.ts'
import { createNotifyingSystem, WEBHOOK_SECRET } from '../support/notifying.ts'
import { type Answer, type ReceivedRequest, startReceiver } from '../support/receiver.ts'
import { startRedisServer } from '../support/redis-server.ts'
import { services, until } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { tempDir } from '../support/temp.ts'

const receiver = async (answer?: Answer, port?: number) => {
  const started = await startReceiver(answer, port)
  cleanUp(() => started.close())
  return started
}

const webhook = (url: string) => ({ NOTIFY_WEBHOOKS: `${url} ${WEBHOOK_SECRET}` })

const alertOf = ({ body }: ReceivedRequest) =>
  (JSON.parse(body) as { data: { id: string; revision: number } }).data
const told = (requests: readonly ReceivedRequest[]) =>
  requests.map(request => `${alertOf(request).id} ${alertOf(request).revision}`).toSorted()
const idOf = ({ headers }: ReceivedRequest) => String(headers['webhook-id'])

const counted = async (metric: Metrics['notifications'] | Metrics['alertsPassed'], label: string) => {
  const { values } = await metric.get()
  return values.reduce(
    (sum, { value, labels }) => sum + (Object.values(labels).includes(label) ? value : 0),
    0,
  )
}

describe('notification', () => {
  it('tells each receiver of alerts that open or escalate, once, and of nothing else', async () => {
    const system = await createNotifyingSystem()
    const [hook, slack] = [await receiver(), await receiver()]
    const { metrics } = await system.start({ ...webhook(hook.url), NOTIFY_SLACK_URL: slack.url })
    await system.alert(
      { id: 'a', revision: 1 },
      { id: 'a', revision: 2, change: 'grew' },
      { id: 'a', revision: 3, change: 'escalated', severity: 'critical' },
      { id: 'b', revision: 1, severity: 'low' },
      { id: 'c', revision: 1, severity: 'critical' },
      { id: 'd', revision: 1, updatedAt: Date.now() - 48 * 3_600_000 },
    )
    await system.write(Buffer.from('no alert'))
    // The same record again, as after a crash before its offset was committed.
    await system.alert({ id: 'c', revision: 1, severity: 'critical' }, { id: 'last', revision: 1 })
    await until(() => told(hook.requests).includes('last 1') && slack.requests.length >= 4)
    expect(told(hook.requests)).toEqual(['a 1', 'a 3', 'c 1', 'last 1'])
    expect(new Set(hook.requests.map(idOf)).size).toBe(4)
    expect(slack.requests).toHaveLength(4)
    await until(async () => (await counted(metrics.notifications, 'sent')) === 8)
    const decisions = ['notified', 'quiet', 'stale', 'undecodable'].map(name =>
      counted(metrics.alertsPassed, name),
    )
    expect(await Promise.all(decisions)).toEqual([5, 2, 1, 1])
  })

  it('tries again with the same id until the receiver takes it, and keeps no other waiting', async () => {
    const system = await createNotifyingSystem()
    const slow = await receiver((index, response) => response.writeHead(index < 2 ? 500 : 204).end())
    const slack = await receiver()
    const { metrics } = await system.start({ ...webhook(slow.url), NOTIFY_SLACK_URL: slack.url })
    await system.alert({ id: 'a' })
    await until(() => slow.requests.length === 3)
    expect(new Set(slow.requests.map(idOf)).size).toBe(1)
    expect(new Set(slow.requests.map(({ body }) => body)).size).toBe(1)
    expect(slack.requests).toHaveLength(1)
    await until(async () => (await counted(metrics.notifications, 'sent')) === 2)
    expect(await counted(metrics.notifications, 'retried')).toBe(2)
  })

  it('gives up what is refused for good, and goes on', async () => {
    const system = await createNotifyingSystem()
    const hook = await receiver((index, response) => response.writeHead(index === 0 ? 400 : 204).end())
    const { metrics } = await system.start(webhook(hook.url))
    await system.alert({ id: 'a' })
    await until(async () => (await counted(metrics.notifications, 'failed')) === 1)
    await system.alert({ id: 'b' })
    await until(() => told(hook.requests).includes('b 1'))
    expect(told(hook.requests)).toEqual(['a 1', 'b 1'])
  })

  it('waits while Redis is away, says so, and loses nothing', async () => {
    const system = await createNotifyingSystem()
    const proxy = await startTcpProxy(services().redisUrl)
    cleanUp(() => proxy.close())
    const hook = await receiver()
    const { service } = await system.start({ ...webhook(hook.url), REDIS_URL: proxy.url })
    await system.alert({ id: 'a' })
    await until(() => told(hook.requests).includes('a 1'))
    await proxy.pause()
    await system.alert({ id: 'b' }, { id: 'c' })
    await until(async () => {
      const checks = await service.check()
      return checks.some(({ problem }) => problem?.startsWith('Redis:'))
    })
    expect(told(hook.requests)).toEqual(['a 1'])
    await proxy.resume()
    await until(() => hook.requests.length >= 3)
    expect([...new Set(told(hook.requests))]).toEqual(['a 1', 'b 1', 'c 1'])
  })

  it('lets what is being sent end when it closes, and closes while Redis is away', async () => {
    const system = await createNotifyingSystem()
    const proxy = await startTcpProxy(services().redisUrl)
    cleanUp(() => proxy.close())
    // Answers when the worker is closing: the consumer has left its group before.
    const hook = await receiver((_, response) => void setTimeout(() => response.writeHead(204).end(), 2_000))
    const { service, metrics } = await system.start({ ...webhook(hook.url), REDIS_URL: proxy.url })
    await system.alert({ id: 'a' })
    await until(() => hook.requests.length === 1)
    await service.close()
    expect(await counted(metrics.notifications, 'sent')).toBe(1)
    const next = await system.start({ ...webhook(hook.url), REDIS_URL: proxy.url })
    await system.alert({ id: 'b' })
    await until(() => hook.requests.length === 2)
    await proxy.pause()
    await until(async () => (await next.service.check()).some(({ problem }) => problem !== undefined))
    await next.service.close()
  })

  it('sends what was queued after Redis was killed and started again', async () => {
    const system = await createNotifyingSystem()
    const redis = await startRedisServer(tempDir())
    cleanUp(() => redis.kill())
    // A port that nobody listens on yet.
    const { port, close } = await startReceiver()
    await close()
    const { metrics } = await system.start({ ...webhook(`http://127.0.0.1:${port}`), REDIS_URL: redis.url })
    await system.alert({ id: 'a' }, { id: 'b' })
    await until(async () => (await counted(metrics.notifications, 'retried')) >= 2)
    await redis.kill()
    await redis.start()
    const hook = await receiver(undefined, port)
    await until(() => new Set(told(hook.requests)).size === 2, { timeoutMs: 45_000 })
    expect([...new Set(told(hook.requests))]).toEqual(['a 1', 'b 1'])
  }, 90_000)

  it('does not start without Redis', async () => {
    const system = await createNotifyingSystem()
    const started = system.start({ ...webhook('http://127.0.0.1:1'), REDIS_URL: 'redis://127.0.0.1:1' })
    await expect(started).rejects.toMatchObject({ code: 'NS_SERVICE_UNREACHABLE' })
  })
})
