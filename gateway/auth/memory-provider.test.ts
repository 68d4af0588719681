import { describe } from '@jest/globals'
import { authProviderContract } from '../../test/contract/auth-provider.ts'
import { createMemoryProvider } from './memory-provider.ts'

describe('the provider in memory', () => {
  authProviderContract(async () => {
    let time = 1_700_000_000_500
    const credentials = { username: 'analyst', password: 'correct horse' }
    const disabled = { username: 'gone', password: 'battery staple' }
    return {
      provider: createMemoryProvider({
        accounts: [
          { ...credentials, role: 'analyst' },
          { ...disabled, role: 'admin', disabled: true },
        ],
        accessTokenS: 60,
        now: () => time,
      }),
      credentials,
      disabled,
      accessTokenS: 60,
      advance: ms => {
        time += ms
      },
    }
  })
})
