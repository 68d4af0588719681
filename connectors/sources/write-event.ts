import type { AvroWriter } from '../../schemas/avro-writer.ts'
import type { Event } from '../../schemas/generated.ts'

/** In the order of `schemas/event.avsc`. */
const OUTCOMES: readonly Event['outcome'][] = ['unknown', 'success', 'failure']

/**
 * Writes an event of `schemas/event.avsc`. It is done for every event, so it is written out field by field, in the order of
 * the schema; a test compares it with the library's own writer.
 */
export const writeEvent = (event: Event, to: AvroWriter): void => {
  to.text(event.id)
  to.long(event.time)
  to.boolean(event.clockSkew)
  to.text(event.source)
  to.textOrNull(event.sensor)
  to.text(event.type)
  to.text(event.title)
  to.text(event.category)
  to.text(event.action)
  to.symbol(event.outcome, OUTCOMES)
  to.text(event.entity)
  to.textOrNull(event.srcIp)
  to.intOrNull(event.srcPort)
  to.textOrNull(event.dstIp)
  to.intOrNull(event.dstPort)
  to.textOrNull(event.dstHost)
  to.textOrNull(event.transport)
  to.textOrNull(event.service)
  to.textOrNull(event.session)
  to.textOrNull(event.user)
  to.textOrNull(event.secretHash)
  to.textOrNull(event.command)
  to.textOrNull(event.url)
  to.textOrNull(event.method)
  to.textOrNull(event.status)
  to.textOrNull(event.userAgent)
  to.textOrNull(event.query)
  to.textOrNull(event.fileName)
  to.textOrNull(event.fileHash)
  to.textOrNull(event.fingerprint)
  to.textOrNull(event.signatureId)
  to.textOrNull(event.signature)
  to.intOrNull(event.sourceSeverity)
  to.doubleOrNull(event.durationMs)
  to.longOrNull(event.bytesIn)
  to.longOrNull(event.bytesOut)
  to.longOrNull(event.packets)
  to.texts(event.techniques)
  to.text(event.origin.topic)
  to.int(event.origin.partition)
  to.long(event.origin.offset)
  to.long(event.origin.timestamp)
  to.text(event.original)
}
