/**
 * The form in which a username is compared, kept and logged: spellings that a person cannot tell apart, and letter
 * case, make no second account.
 */
export const foldUsername = (username: string): string => username.normalize('NFKC').trim().toLowerCase()
