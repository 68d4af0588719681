import { describe, expect, it } from '@jest/globals'
import { redisConfig } from '../../connectors/redis.ts'
import { createSoloQueue, createSoloWorker, type SoloJob } from '../../connectors/solo-queue.ts'
import { loadConfig } from '../../runtime/config.ts'
import { silentLog } from '../../runtime/log.ts'
import { services, unique } from '../support/services.ts'
import { cleanUp } from '../support/stages.ts'

type Data = { readonly step: number }

const makePlace = () => ({
  redis: loadConfig({ redis: redisConfig }, { REDIS_URL: services().redisUrl }).redis,
  prefix: `${unique('solo')}.`,
  name: 'solo',
  log: silentLog(),
})

const openQueue = async (place: ReturnType<typeof makePlace>) => {
  const queue = await createSoloQueue<Data, string>(place)
  cleanUp(() => queue.close())
  return queue
}

const watch = { onProgress: () => undefined, signal: new AbortController().signal }

const work = (
  place: ReturnType<typeof makePlace>,
  run: (job: SoloJob<Data>, signal: AbortSignal) => Promise<string>,
) => {
  const worker = createSoloWorker<Data, string>({ ...place, run, onFailed: () => undefined })
  cleanUp(() => worker.close())
  return worker
}

describe('a queue of which one job is done at a time', () => {
  it('never does two, whatever the number of workers, and does all', async () => {
    const place = makePlace()
    const queue = await openQueue(place)
    let [atWork, most] = [0, 0]
    const run = async ({ id }: SoloJob<Data>) => {
      most = Math.max(most, ++atWork)
      await new Promise(resolve => setTimeout(resolve, 50))
      atWork--
      return id
    }
    const ids = await Promise.all([1, 2, 3, 4].map(step => queue.add({ step })))
    for (let i = 0; i < 3; i++) work(place, run)
    expect(await Promise.all(ids.map(id => queue.follow(id, watch)))).toEqual(ids.map(result => ({ result })))
    expect(most).toBe(1)
    expect(await queue.isBusy()).toBe(false)
  })

  it('has a job taken up again, with what it saved, when its worker is gone', async () => {
    const place = makePlace()
    const queue = await openQueue(place)
    const saved = Promise.withResolvers<void>()
    const first = work(place, async (job, signal) => {
      await job.save({ step: 2 })
      saved.resolve()
      await new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      )
      return 'never'
    })
    const id = await queue.add({ step: 1 })
    await saved.promise
    await first.close()
    work(place, async ({ data }) => `went on at ${data.step}`)
    expect(await queue.follow(id, watch)).toEqual({ result: 'went on at 2' })
  })

  it('keeps why a job failed, and adds no job twice under one id', async () => {
    const place = makePlace()
    const queue = await openQueue(place)
    let runs = 0
    work(place, async () => {
      runs++
      throw new Error('no such thing')
    })
    expect(await queue.add({ step: 1 }, 'drift-1')).toBe('drift-1')
    expect(await queue.follow('drift-1', watch)).toEqual({ failed: 'no such thing' })
    await queue.add({ step: 1 }, 'drift-1')
    expect(await queue.follow(await queue.add({ step: 2 }), watch)).toMatchObject({ failed: 'no such thing' })
    expect(runs).toBe(2)
    await expect(queue.follow('unknown', watch)).rejects.toMatchObject({ code: 'NS_USAGE' })
  })
})
