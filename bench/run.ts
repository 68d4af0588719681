/**
 * What is measured: `pipeline` sets the stages beside other programs and at fixed rates; `gateway` sets the gateway beside other
 * servers of WebSockets; `accuracy` sets the models beside other detectors; without any, the start to the first threat and the
 * whole path.
 */
const [what] = process.argv.slice(2)
if (what === 'pipeline') await import('./pipeline/run.ts')
else if (what === 'gateway') await import('./gateway/run.ts')
else if (what === 'accuracy') await import('./accuracy/run.ts')
else await import('./start.ts')
