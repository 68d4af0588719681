import { z } from 'zod'
import { VERSION } from '../../runtime/version.ts'
import { jsonSchemaOf } from '../../schemas/json-schema.ts'
import {
  CHANNELS,
  CLOSE,
  CLOSE_MEANING,
  clientMessage,
  SERVER_MESSAGES,
  SUBPROTOCOL,
  TICKET_PREFIX,
} from '../../schemas/wire.ts'
import { CHANNEL_PERMISSION } from '../auth/permissions.ts'
import { createShelf, isObject, type Json } from './shelf.ts'

const DESCRIPTION =
  `A client is authenticated before the socket is open. Programs send \`Authorization: Bearer\` with an access token or an ` +
  `API key. Browsers offer the subprotocols \`${SUBPROTOCOL}\` and \`${TICKET_PREFIX}<id>\`, with the ticket that ` +
  '`POST /auth/ticket` gave them. An answer repeats the `id` of the message that it answers.'

/** Codes from here on tell a client not to come back as it is. */
const TERMINAL = 4_500

const CLOSE_CODES = Object.entries(CLOSE).map(([name, code]) => ({
  code,
  name,
  retry: code < TERMINAL,
  description: CLOSE_MEANING[name as keyof typeof CLOSE],
}))

type Message = (typeof clientMessage.options)[number] | (typeof SERVER_MESSAGES)[number]

const typeOf = (message: Message): string => message.shape.type.value

/** What is delivered is what Avro says that it is; on the wire only the fields that a gateway stands on are checked. */
const withRecord = (type: string, schema: Json): Json => {
  const record = type === 'threat' ? 'Threat' : type === 'alert' ? 'Alert' : undefined
  if (record === undefined || !isObject(schema['properties'])) return schema
  return { ...schema, properties: { ...schema['properties'], data: jsonSchemaOf(record) } }
}

/** A schema whose references lead to where the document has its parts. */
const fromShelf = (schema: unknown): unknown =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'))

/** The AsyncAPI 3 document of the WebSocket, made of the wire protocol that it is checked by. */
export const asyncApi = (): Json => {
  const { put, schemas } = createShelf()
  const describe = (message: Message) => {
    const type = typeOf(message)
    const { $schema, $defs, description, ...schema } = z.toJSONSchema(message, { io: 'input' })
    if (isObject($defs)) {
      for (const [name, { id, ...each }] of Object.entries($defs as Record<string, Json>)) {
        schemas.set(name, fromShelf(put(each)))
      }
    }
    return {
      name: type,
      ...(description === undefined ? {} : { summary: description }),
      contentType: 'application/json',
      payload: fromShelf(put(withRecord(type, schema))),
    }
  }
  const incoming = clientMessage.options.map(describe)
  const outgoing = SERVER_MESSAGES.map(describe)
  const refer = (names: readonly { readonly name: string }[], to: string) =>
    names.map(({ name }) => ({ $ref: `#/${to}/${name}` }))
  const messages = [...incoming, ...outgoing]
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'NetSentinel gateway',
      version: VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      gateway: {
        host: '{host}',
        protocol: 'wss',
        variables: { host: { description: 'Host, and port, of a gateway.' } },
        security: [{ $ref: '#/components/securitySchemes/bearer' }],
      },
    },
    channels: {
      socket: {
        address: '/ws',
        servers: [{ $ref: '#/servers/gateway' }],
        messages: Object.fromEntries(
          messages.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
        'x-channels': CHANNELS.map(name => ({ name, 'x-permission': CHANNEL_PERMISSION[name] })),
        'x-close-codes': CLOSE_CODES,
      },
    },
    operations: {
      take: {
        action: 'receive',
        summary: 'What a client may send.',
        channel: { $ref: '#/channels/socket' },
        messages: refer(incoming, 'channels/socket/messages'),
      },
      give: {
        action: 'send',
        summary: 'What the gateway sends.',
        channel: { $ref: '#/channels/socket' },
        messages: refer(outgoing, 'channels/socket/messages'),
      },
    },
    components: {
      messages: Object.fromEntries(messages.map(message => [message.name, message])),
      schemas: Object.fromEntries(schemas),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An access token or an API key.' },
      },
    },
  }
}
