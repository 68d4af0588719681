import type { AvroWriter } from '../../schemas/avro-writer.ts'
import type { Behaviour, Contact, EntityState, ModelInForce } from '../../schemas/generated.ts'

/**
 * Writes a state of `schemas/entity-state.avsc`. It is done for every entity of every batch, so it is written out field by
 * field, in the order of the schema; a test compares it with the library's own writer.
 */
export const writeEntityState = ({ id, behaviour, model }: EntityState, to: AvroWriter): void => {
  to.text(id)
  if (to.presence(behaviour)) writeBehaviour(behaviour, to)
  if (to.presence(model)) writeModel(model, to)
}

const writeBehaviour = (behaviour: Behaviour, to: AvroWriter): void => {
  to.long(behaviour.firstTime)
  to.long(behaviour.lastTime)
  to.double(behaviour.events)
  to.double(behaviour.failures)
  to.double(behaviour.eventsSlow)
  to.double(behaviour.failuresSlow)
  to.ints(behaviour.ports)
  to.texts(behaviour.hosts)
  to.texts(behaviour.users)
  to.texts(behaviour.types)
  to.int(behaviour.behind)
  if (to.presence(behaviour.recent)) {
    to.text(behaviour.recent.form)
    to.bytes(behaviour.recent.rows)
  }
  to.float(behaviour.eventsDay)
  to.float(behaviour.failuresDay)
  to.float(behaviour.failedLogins)
  to.float(behaviour.failedLoginsSlow)
  to.float(behaviour.newPorts)
  to.float(behaviour.newPortsSlow)
  to.float(behaviour.newHosts)
  to.float(behaviour.newHostsSlow)
  to.float(behaviour.newUsers)
  to.float(behaviour.newUsersSlow)
  to.float(behaviour.bytes)
  to.float(behaviour.bytesSlow)
  to.float(behaviour.gapMean)
  to.float(behaviour.gapSpread)
  to.array(behaviour.contacts, writeContact)
}

const writeContact = ({ target, time, gapMs, beats }: Contact, to: AvroWriter): void => {
  to.int(target)
  to.long(time)
  to.long(gapMs)
  to.int(beats)
}

const writeModel = ({ version, sequence, since }: ModelInForce, to: AvroWriter): void => {
  to.text(version)
  to.long(sequence)
  to.longOrNull(since)
}
