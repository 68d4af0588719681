/**
 * What is measured: `pipeline` sets the stages beside other programs and at fixed rates; without it, the start to the
 * first threat and the whole path.
 */
const [what] = process.argv.slice(2)
await (what === 'pipeline' ? import('./pipeline/run.ts') : import('./start.ts'))
