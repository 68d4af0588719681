import { runStage } from '../../connectors/kafka/run-stage.ts'
import { silentLog } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { countingStage, countingTopicsSchema, kafkaOf } from './counting.ts'

/** Runs a counting stage until it is killed: `node counting-process.ts BROKERS TOPICS`, TOPICS as JSON. */
const [brokers = '', topics = '{}'] = process.argv.slice(2)
const stage = countingStage(countingTopicsSchema.parse(JSON.parse(topics)))
const kafka = kafkaOf({ KAFKA_BROKERS: brokers, KAFKA_SESSION_TIMEOUT_MS: '6000' })
const service = await runStage({ kafka, stage, log: silentLog(), metrics: createMetrics() })
process.stdout.write('joined\n')
await service.failed
