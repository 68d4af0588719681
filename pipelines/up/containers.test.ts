import { expect, it } from '@jest/globals'
import { findCompose, type Run, startContainers } from './containers.ts'

/** A machine on which only what begins like one of these succeeds. */
const machine = (...able: readonly string[]) => {
  const ran: string[] = []
  const run: Run = async command => {
    const line = command.join(' ')
    ran.push(line)
    return able.some(each => line.startsWith(each)) ? 0 : 1
  }
  return { ran, run }
}

it.each([
  [
    ['docker info', 'docker compose', 'docker-compose'],
    ['docker', 'compose'],
  ],
  [['docker info', 'docker-compose'], ['docker-compose']],
  [['docker info'], undefined],
  [['docker compose', 'docker-compose'], undefined],
])('finds, where %j work, the Compose %j', async (able, expected) => {
  expect(await findCompose(machine(...able).run)).toEqual(expected)
})

it('brings everything up, then replays, and tells how to go on', async () => {
  const { ran, run } = machine('docker info', 'docker-compose')
  const told: string[] = []
  await startContainers({ run, replay: true, tell: line => told.push(line) })
  expect(ran.slice(-2)).toEqual(['docker-compose up --build --detach', 'docker-compose run --rm replay'])
  expect(told.join('\n')).toContain('docker-compose exec gateway-1')
})

it('says what did not succeed, and does not go on', async () => {
  const { ran, run } = machine('docker info', 'docker compose version')
  await expect(startContainers({ run, replay: true, tell: () => undefined })).rejects.toThrow(
    'docker compose up --build --detach did not succeed',
  )
  expect(ran.at(-1)).toContain(' up ')
})

it('names what is missing where no engine answers', async () => {
  await expect(
    startContainers({ run: machine().run, replay: false, tell: () => undefined }),
  ).rejects.toMatchObject({ code: 'NS_EMBEDDED_UNAVAILABLE' })
})
