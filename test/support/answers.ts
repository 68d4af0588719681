import { Ajv2020 } from 'ajv/dist/2020.js'

type Json = Readonly<Record<string, unknown>>

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

interface Described {
  readonly responses: Readonly<Record<string, { readonly content?: Json }>>
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: Json
}

const fits = (template: string, path: string): boolean => {
  const [wanted, given] = [template.split('/'), path.split('/')]
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => (part.startsWith('{') ? given[i] !== '' : part === given[i]))
  )
}

/**
 * Makes the check that an answer is one that the OpenAPI document describes: its status, its media type and what is in it.
 * It throws an Error which says what is not. Paths and methods that the document does not have are no matter of it.
 */
export const createAnswerCheck = (document: object) => {
  const { paths, components } = document as Document
  const ajv = new Ajv2020({ strict: false })
  ajv.addSchema({ $id: 'document', components })
  const resolve = (schema: unknown): unknown =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/'))

  return (method: string, url: string, { statusCode, headers, body }: Answer): void => {
    const path = url.split('?', 1)[0] ?? ''
    // A path without parameters is meant before one that has some.
    const [template] = Object.keys(paths)
      .filter(each => fits(each, path))
      .sort((a, b) => a.split('{').length - b.split('{').length)
    const described = paths[template ?? '']?.[method.toLowerCase()]?.responses
    if (described === undefined) return
    const what = `${method} ${template}: ${statusCode}`
    const answer = described[statusCode]
    if (answer === undefined) throw new Error(`${what} is not described`)
    const [[type, media] = []] = Object.entries(answer.content ?? {})
    if (type === undefined) {
      if (body !== '') throw new Error(`${what} has a body`)
      return
    }
    if (!String(headers['content-type']).startsWith(type)) throw new Error(`${what} is not ${type}`)
    const isValid = ajv.compile(resolve((media as { schema: object }).schema) as object)
    if (!isValid(JSON.parse(body))) throw new Error(`${what} ${ajv.errorsText(isValid.errors)}: ${body}`)
  }
}
