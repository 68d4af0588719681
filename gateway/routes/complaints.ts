/** What Fastify says by a code, in words. */
const BY_CODE: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body is not JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the content type says that there is a body, and there is none',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'a body is of the type application/json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'the body is too large',
}

/** As much of what ajv finds as is looked at here. */
interface Finding {
  readonly keyword: string
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
  readonly parentSchema?: { readonly description?: string }
}

const wordsFor = ({ keyword, params, message = 'is not valid', parentSchema }: Finding): string => {
  switch (keyword) {
    case 'additionalProperties':
      return `has a field "${String(params['additionalProperty'])}", and there is no such`
    case 'enum':
      return `must be one of ${[params['allowedValues']].flat().join(', ')}`
    case 'pattern':
      return parentSchema?.description === undefined ? message : `must be: ${parentSchema.description}`
    default:
      return message
  }
}

/**
 * What is wrong with a request, for whoever has written the program that made it: which field, and what it may be; nothing
 * that was not in the request or is not in the OpenAPI document. Undefined when an error is not of that kind.
 */
export const complaintOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined
  if ('validation' in error && Array.isArray(error.validation)) {
    const [finding] = error.validation as readonly Finding[]
    const where = 'validationContext' in error ? String(error.validationContext) : 'request'
    return finding === undefined ? undefined : `${where}${finding.instancePath} ${wordsFor(finding)}`
  }
  return 'code' in error && typeof error.code === 'string' ? BY_CODE[error.code] : undefined
}
