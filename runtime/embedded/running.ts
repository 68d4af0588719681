import type { Environment } from '../config.ts'
import { announced } from './lock.ts'

/**
 * The variables that name the embedded services which another process runs on this DATA_DIR now, so that a command in
 * a second terminal finds them without being told; empty when none runs.
 */
export const runningServices = (dataDir: string): Environment => {
  const addresses = announced(dataDir)
  if (addresses === undefined) return {}
  return {
    KAFKA_BROKERS: addresses.kafkaBrokers.join(','),
    SCHEMA_REGISTRY_URL: addresses.schemaRegistryUrl,
    REDIS_URL: addresses.redisUrl,
  }
}
