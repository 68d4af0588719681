/** An object of a document. */
export type Json = Readonly<Record<string, unknown>>

/** Puts a schema onto the shelf, and returns what stands in its place. */
export type Put = (schema: unknown) => unknown

/** Whether a value is an object of a document. */
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The schemas that a document has once, under `components.schemas`: whatever has a title is kept here, and a reference
 * stands in its place. Putting one throws an Error when another one has its title.
 */
export const createShelf = () => {
  const schemas = new Map<string, unknown>()
  const put: Put = value => {
    if (Array.isArray(value)) return value.map(put)
    if (!isObject(value)) return value
    const { title, ...rest } = Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, put(each)]),
    )
    if (typeof title !== 'string') return title === undefined ? rest : { title, ...rest }
    const known = schemas.get(title)
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(rest)) {
      throw new Error(`two schemas have the title ${title}`)
    }
    schemas.set(title, rest)
    return { $ref: `#/components/schemas/${title}` }
  }
  return { put, schemas }
}
