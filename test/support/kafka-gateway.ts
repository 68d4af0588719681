import { kafkaConfig } from '../../connectors/kafka/client.ts'
import { redisConfig } from '../../connectors/redis.ts'
import { registryConfig } from '../../connectors/registry.ts'
import { gatewayConfig } from '../../gateway/config.ts'
import { modelsConfig } from '../../models/registry/keys.ts'
import { dataConfig } from '../../runtime/data.ts'
import { topicsConfig } from '../../schemas/topics.ts'
import { PASSWORD } from './gateway.ts'
import { services } from './services.ts'
import { tempDir } from './temp.ts'

/** The settings of a gateway on Kafka. */
export const KAFKA_GATEWAY_SECTIONS = {
  kafka: kafkaConfig,
  topics: topicsConfig,
  registry: registryConfig,
  redis: redisConfig,
  gateway: gatewayConfig,
  models: modelsConfig,
  data: dataConfig,
}

/** The environment of a gateway on the services of the tests: a store of its own, any port, and topics of this prefix. */
export const kafkaGatewayEnv = (prefix: string) => {
  const { kafkaBrokers, redisUrl, schemaRegistryUrl } = services()
  return {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    REDIS_URL: redisUrl,
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
    TOPIC_PREFIX: prefix,
    TOPIC_PARTITIONS: '1',
    DATA_DIR: tempDir(),
    GATEWAY_PORT: '0',
    GATEWAY_MAX_LAG_MS: '0',
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
  }
}
