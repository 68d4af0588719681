import { createServer } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { SentinelError } from '../errors.ts'
import { onPort } from './ports.ts'

const listener = async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { port, close: () => new Promise(resolve => server.close(resolve)) }
}

const taken = () => new SentinelError('NS_PORT_TAKEN', 'taken')

describe('onPort', () => {
  it('starts on the configured port', async () => {
    const { port, close } = await listener()
    await close()
    expect(await onPort(port, 'SOME_PORT', async given => given)).toBe(port)
  })

  it('refuses a configured port that is taken, and names the variable', async () => {
    const { port, close } = await listener()
    const start = () => Promise.reject(new Error('must not be started'))
    await expect(onPort(port, 'SOME_PORT', start)).rejects.toMatchObject({
      code: 'NS_PORT_TAKEN',
      message: `port ${port} on 127.0.0.1 is taken: free it, or set SOME_PORT to another one (unset takes a free one)`,
    })
    await close()
  })

  it('takes another free port when one was taken in between, but not for ever', async () => {
    const tried: number[] = []
    const until = (good: number) => async (port: number) => {
      tried.push(port)
      if (tried.length < good) throw taken()
      return port
    }
    expect(await onPort(undefined, 'SOME_PORT', until(3))).toBe(tried[2])
    tried.length = 0
    await expect(onPort(0, 'SOME_PORT', until(9))).rejects.toMatchObject({ code: 'NS_PORT_TAKEN' })
    expect(tried).toHaveLength(3)
  })

  it('does not try again for another reason', async () => {
    let starts = 0
    const start = () => {
      starts++
      return Promise.reject(new SentinelError('NS_EMBEDDED_CRASHED', 'ended'))
    }
    await expect(onPort(undefined, 'SOME_PORT', start)).rejects.toMatchObject({ code: 'NS_EMBEDDED_CRASHED' })
    expect(starts).toBe(1)
  })
})
