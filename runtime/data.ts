import { z } from 'zod'
import { section, setting } from './config.ts'

/** Where a process keeps what must outlive it: the gateway's store, the data of the embedded services. */
export const dataConfig = section('data', {
  dir: setting(
    'DATA_DIR',
    z.string().min(1).default('.netsentinel'),
    'Directory for everything that is kept on disk.',
  ),
})
