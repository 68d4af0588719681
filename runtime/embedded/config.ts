import { z } from 'zod'
import { port, section, setting } from '../config.ts'

/** Settings of the embedded services; they are used when no addresses are given. */
export const embeddedConfig = section('embedded', {
  kafkaPort: setting(
    'EMBEDDED_KAFKA_PORT',
    port().optional(),
    'Port of the embedded Kafka; a free one when unset.',
  ),
  registryPort: setting(
    'EMBEDDED_REGISTRY_PORT',
    port().optional(),
    'Port of the embedded schema registry; a free one when unset.',
  ),
  redisPort: setting(
    'EMBEDDED_REDIS_PORT',
    port().optional(),
    'Port of the embedded Redis; a free one when unset.',
  ),
  libDir: setting(
    'EMBEDDED_LIB_DIR',
    z.string().min(1).optional(),
    'Where the programs of the embedded services are kept once fetched; DATA_DIR/lib when unset.',
  ),
  javaHome: setting(
    'JAVA_HOME',
    z.string().min(1).optional(),
    'The Java 17 or newer that runs the embedded services; the `java` on the PATH when unset.',
  ),
})
