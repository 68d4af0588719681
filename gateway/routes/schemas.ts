/**
 * A schema of an object with exactly these properties. With a `title` the OpenAPI document has it once, under that name;
 * one title is of one schema.
 */
export const objectSchema = <P extends object, R extends readonly (keyof P & string)[]>(
  properties: P,
  required: R,
  title?: string,
) =>
  ({
    type: 'object',
    ...(title === undefined ? {} : { title }),
    required,
    additionalProperties: false,
    properties,
  }) as const

/** The same, for an answer: each of its properties is always there. */
export const answerSchema = <P extends object>(properties: P, title?: string) =>
  objectSchema(properties, Object.keys(properties) as (keyof P & string)[], title)

/** A text in a schema. */
export const textSchema = (minLength: number, maxLength: number) =>
  ({ type: 'string', minLength, maxLength }) as const

/** A text in an answer. */
export const anyText = { type: 'string' } as const

/** A text, or nothing, in an answer. */
export const textOrNull = { type: ['string', 'null'] } as const

/** A flag. */
export const flagSchema = { type: 'boolean' } as const

/** A point in time. */
export const timeSchema = { type: 'integer', description: 'In ms since 1970 (UTC).' } as const

/** A point in time, or none. */
export const timeOrNull = { type: ['integer', 'null'], description: 'In ms since 1970 (UTC).' } as const

/** How many there are of something. */
export const countSchema = { type: 'integer', minimum: 0 } as const

/** A list. */
export const listSchema = <I extends object>(items: I) => ({ type: 'array', items }) as const

/** One of some words. */
export const wordSchema = <W extends readonly string[]>(words: W) =>
  ({ type: 'string', enum: words }) as const

/** An answer that has no body. */
export const noContent = { type: 'null', description: 'Done.' } as const

/** No body, or an empty one. */
export const emptySchema = { type: ['object', 'null'], additionalProperties: false } as const

/** The id in a path such as `/users/:id`. */
export const idSchema = objectSchema({ id: textSchema(1, 128) }, ['id'])

const MAX_PAGE = 500

/** How many a page of a list has at most: digits in a query. */
export const limitSchema = {
  type: 'string',
  pattern: '^([1-9][0-9]?|[1-4][0-9]{2}|500)$',
  description: `a number from 1 to ${MAX_PAGE}`,
} as const

/** The number that a query gives, or another one. */
export const limitOf = (given: string | undefined, otherwise = MAX_PAGE): number => Number(given ?? otherwise)

/** A filter; `parseFilter` checks its parts one by one, so that what is wrong can be said. */
export const filterSchema = {
  type: 'object',
  minProperties: 1,
  additionalProperties: true,
  description: 'A filter, as in subscriptions to a channel.',
} as const

/** A filter, or none, in an answer. */
export const filterOrNull = { ...filterSchema, type: ['object', 'null'] } as const
