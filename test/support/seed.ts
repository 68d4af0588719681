import { randomInt } from 'node:crypto'

/** The seed of what is random in a test: FAULT_SEED to repeat a run, another one each time without it. */
export const seedOfRun = (): number => Number(process.env['FAULT_SEED'] ?? randomInt(2 ** 31))
