/**
 * The form in which a username is compared, kept and logged: spellings that a person cannot tell apart, and letter
 * case, make no second account.
 */
export const foldUsername = (username: string): string => username.normalize('NFKC').trim().toLowerCase()

const USERNAME = /^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}._@-]{0,62}[\p{L}\p{M}\p{N}])?$/u

/** Whether a new account may have this name, which has been folded. */
export const isUsername = (folded: string): boolean => USERNAME.test(folded)
