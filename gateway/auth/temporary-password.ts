import { randomBytes } from 'node:crypto'

/** How long a password works that its owner did not choose, in ms; it serves only to be changed. */
export const TEMPORARY_PASSWORD_MS = 24 * 3_600_000

const BYTES = 15

/** A password for an account until its owner chooses one: 120 random bits. */
export const makeTemporaryPassword = (): string => randomBytes(BYTES).toString('base64url')
