import type { Config } from 'jest'

const shared = {
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['<rootDir>/.netsentinel'],
} satisfies Config

const config: Config = {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/{runtime,schemas,connectors,models,pipelines,gateway}/**/*.test.ts',
        '<rootDir>/test/rules/*.test.ts',
      ],
    },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/{integration,e2e,faults,security}/*.test.ts'],
      globalSetup: '<rootDir>/test/support/setup.ts',
      globalTeardown: '<rootDir>/test/support/teardown.ts',
    },
  ],
  testTimeout: 120_000,
  maxWorkers: 2,
}

export default config
