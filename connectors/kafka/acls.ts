import kafkajs, { type AclEntry } from 'kafkajs'
import type { SectionValues } from '../../runtime/config.ts'
import { topicCatalogue, type topicsConfig } from '../../schemas/topics.ts'
import { withAdmin } from './admin.ts'
import type { Kafka } from './client.ts'

type Operation =
  | 'read'
  | 'write'
  | 'describe'
  | 'create'
  | 'alter'
  | 'describeConfigs'
  | 'alterConfigs'
  | 'idempotentWrite'

/** What a process may do with a resource, or with all whose name begins like it. */
export interface Grant {
  readonly process: string
  readonly resource: 'topic' | 'group' | 'transactional id' | 'cluster'
  readonly name: string
  /** Whether `name` is what the names of the resources begin with. */
  readonly prefixed: boolean
  readonly operations: readonly Operation[]
  /** What the process does with it beside its work, which it does without it. */
  readonly purpose?: string
}

/**
 * What each process needs of Kafka, and no more: one user for each of them. Whoever may read or write may also describe.
 * Those with a purpose can be left out.
 */
export const grants = (config: SectionValues<typeof topicsConfig>): readonly Grant[] => {
  const topics = topicCatalogue(config)
  const { prefix } = config
  type Name = keyof typeof topics
  const grant =
    (process: string) =>
    (resource: Grant['resource'], name: string, prefixed: boolean, ...operations: Operation[]): Grant => ({
      process,
      resource,
      name,
      prefixed,
      operations,
    })
  const to = (process: string, operation: Operation, ...names: readonly Name[]) =>
    names.map(name => grant(process)('topic', topics[name].name, false, operation))
  // Side inputs, changelogs and whole topics are read with groups that are made up for the occasion.
  const readers = (process: string) => grant(process)('group', 'netsentinel-read-', true, 'read')
  const stage = (process: string, input: Name) => [
    ...to(process, 'read', input),
    grant(process)('group', `${prefix}${process}`, false, 'read'),
    readers(process),
    grant(process)('transactional id', `${prefix}${process}-`, true, 'write', 'describe'),
    ...to(process, 'write', 'deadLetters'),
  ]
  const transactions = (process: string, id: string) =>
    grant(process)('transactional id', id, false, 'write', 'describe')
  const forPurpose = (purpose: string, all: readonly Grant[]) => all.map(each => ({ ...each, purpose }))
  return [
    ...Object.keys(topics).map(name =>
      grant('topics')(
        'topic',
        topics[name as Name].name,
        false,
        'create',
        'describe',
        'describeConfigs',
        'alterConfigs',
      ),
    ),
    ...stage('ingest', 'rawEvents'),
    ...to('ingest', 'write', 'events'),
    ...stage('scoring', 'events'),
    ...to('scoring', 'write', 'threats', 'threatsOcsf', 'entityState'),
    ...to('scoring', 'read', 'entityState', 'models'),
    ...stage('alerting', 'threats'),
    ...to('alerting', 'write', 'alerts', 'alertsOcsf', 'alertState'),
    ...to('alerting', 'read', 'alertState', 'decisions'),
    ...to('retraining', 'read', 'events', 'decisions', 'alerts', 'threats', 'models'),
    ...to('retraining', 'write', 'models'),
    readers('retraining'),
    transactions('retraining', `${topics.models.name}-writer`),
    ...to('gateway', 'read', 'threats', 'alerts', 'models', 'deadLetters'),
    ...to('gateway', 'write', 'audit', 'decisions'),
    grant('gateway')('group', `${prefix}gateway`, false, 'read'),
    readers('gateway'),
    transactions('gateway', `${prefix}gateway-decisions`),
    ...forPurpose('promotion and rollback of models over REST', [
      ...to('gateway', 'write', 'models'),
      transactions('gateway', `${topics.models.name}-writer`),
    ]),
    ...forPurpose('replay of dead letters over REST', [
      ...to('gateway', 'write', 'deadLetters', 'rawEvents', 'events', 'threats'),
      transactions('gateway', `${prefix}dead-letters-replay`),
    ]),
    ...to('notify', 'read', 'alerts', 'audit'),
    grant('notify')('group', `${prefix}notify`, false, 'read'),
  ]
}

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

const RESOURCES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional id': AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
} as const

const OPERATIONS = {
  read: AclOperationTypes.READ,
  write: AclOperationTypes.WRITE,
  describe: AclOperationTypes.DESCRIBE,
  create: AclOperationTypes.CREATE,
  alter: AclOperationTypes.ALTER,
  describeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  alterConfigs: AclOperationTypes.ALTER_CONFIGS,
  idempotentWrite: AclOperationTypes.IDEMPOTENT_WRITE,
} as const

/** The user of Kafka that a process runs as. */
export const userOf = (process: string): string => `netsentinel-${process}`

/** Gives the users of the processes what they need. Throws NS_KAFKA_REFUSED where one may not. */
export const applyGrants = (kafka: Kafka, all: readonly Grant[]): Promise<void> =>
  withAdmin(kafka, 'creating ACLs', async admin => {
    const acl: AclEntry[] = all.flatMap(({ process, resource, name, prefixed, operations }) =>
      operations.map(operation => ({
        resourceType: RESOURCES[resource],
        resourceName: name,
        resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        principal: `User:${userOf(process)}`,
        host: '*',
        operation: OPERATIONS[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    )
    await admin.createAcls({ acl })
  })
