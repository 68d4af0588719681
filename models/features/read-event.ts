import type { AvroReader } from '../../schemas/avro-reader.ts'
import type { Event } from '../../schemas/generated.ts'
import type { JudgedEvent } from './event-fields.ts'

/** In the order of `schemas/event.avsc`. */
const OUTCOMES: readonly Event['outcome'][] = ['unknown', 'success', 'failure']

/**
 * Reads an event of `schemas/event.avsc`, as far as it is judged, and passes over the rest. It is done for every event, so
 * it is written out field by field, in the order of the schema; a test compares it with the library's own reader.
 */
export const readJudgedEvent = (from: AvroReader): JudgedEvent => {
  const id = from.uniqueText()
  const time = from.long()
  from.skip(1) // clockSkew
  from.skipText() // source
  from.skipTextOrNull() // sensor
  const type = from.text()
  from.skipText() // title
  const category = from.text()
  const action = from.text()
  const outcome = from.symbol(OUTCOMES)
  const entity = from.text()
  from.skipTextOrNull() // srcIp
  from.longOrNull() // srcPort
  const dstIp = from.textOrNull()
  const dstPort = from.longOrNull()
  const dstHost = from.textOrNull()
  const transport = from.textOrNull()
  const service = from.textOrNull()
  from.skipTextOrNull() // session
  const user = from.textOrNull()
  from.skipTextOrNull() // secretHash
  const command = from.textOrNull()
  const url = from.textOrNull()
  from.skipTextOrNull() // method
  from.skipTextOrNull() // status
  const userAgent = from.textOrNull()
  const query = from.textOrNull()
  const fileName = from.textOrNull()
  from.skipTextOrNull() // fileHash
  from.skipTextOrNull() // fingerprint
  from.skipTextOrNull() // signatureId
  from.skipTextOrNull() // signature
  const sourceSeverity = from.longOrNull()
  const durationMs = from.doubleOrNull()
  const bytesIn = from.longOrNull()
  const bytesOut = from.longOrNull()
  const packets = from.longOrNull()
  from.skipTexts() // techniques
  from.skipText() // origin.topic
  from.long() // origin.partition
  from.long() // origin.offset
  from.long() // origin.timestamp
  from.skipText() // original
  return {
    id,
    time,
    type,
    category,
    action,
    outcome,
    entity,
    dstIp,
    dstPort,
    dstHost,
    transport,
    service,
    user,
    command,
    url,
    userAgent,
    query,
    fileName,
    sourceSeverity,
    durationMs,
    bytesIn,
    bytesOut,
    packets,
  }
}
