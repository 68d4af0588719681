import { describe, expect, it } from '@jest/globals'
import { createNotifyingSystem, WEBHOOK_SECRET } from '../support/notifying.ts'
import { startReceiver } from '../support/receiver.ts'
import { until } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'
import { tempDir } from '../support/temp.ts'
import { createSystem } from './processes.ts'

describe('netsentinel notify', () => {
  it('tells of every alert when it is killed between taking an alert and sending it', async () => {
    const system = await createSystem(tempDir())
    const { alert } = await createNotifyingSystem(system.prefix)
    // The first two requests get no answer: their process is killed while it waits for one.
    const receiver = await startReceiver((index, response) => {
      if (index > 1) response.writeHead(204).end()
    })
    cleanUp(() => receiver.close())
    const env = { NOTIFY_WEBHOOKS: `${receiver.url} ${WEBHOOK_SECRET}`, NOTIFY_ALLOW_HTTP: 'true' }
    const first = await system.ready(['notify'], env)
    await alert({ id: 'a' }, { id: 'b' })
    await until(() => receiver.requests.length === 2)
    first.kill('SIGKILL')
    await first.exited
    await alert({ id: 'c' })
    const second = await system.ready(['notify'], env)
    const ids = () => receiver.requests.slice(2).map(({ headers }) => String(headers['webhook-id']))
    await until(() => new Set(ids()).size === 3, { timeoutMs: 60_000, what: 'every alert told' })
    const before = receiver.requests.slice(0, 2).map(({ headers }) => String(headers['webhook-id']))
    expect(ids()).toEqual(expect.arrayContaining(before))
    second.kill('SIGTERM')
    expect((await second.exited).code).toBe(0)
  }, 120_000)

  it('tries every receiver when asked to, and says which did not take it', async () => {
    const system = await createSystem(tempDir())
    const receiver = await startReceiver((_, response) =>
      response.writeHead(response.req.url === '/no' ? 403 : 204).end(),
    )
    cleanUp(() => receiver.close())
    const env = {
      NOTIFY_WEBHOOKS: `${receiver.url}/hook ${WEBHOOK_SECRET}`,
      NOTIFY_SLACK_URL: `${receiver.url}/no`,
      NOTIFY_ALLOW_HTTP: 'true',
    }
    const cli = system.run(['notify', '--test'], env)
    expect((await cli.exited).code).toBe(1)
    expect(cli.stdout()).toMatch(/^webhook-127\.0\.0\.1-\w+: sent\nslack: answered 403\n$/)
    expect(receiver.requests).toHaveLength(2)
    const none = system.run(['notify'])
    expect((await none.exited).code).toBe(3)
    expect(none.stderr()).toContain('NOTIFY_WEBHOOKS')
  })
})
