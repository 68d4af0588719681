/**
 * What is measured: `pipeline` sets the stages beside other programs and at fixed rates; `accuracy` sets the models beside other
 * detectors; without either, the start to the first threat and the whole path.
 */
const [what] = process.argv.slice(2)
if (what === 'pipeline') await import('./pipeline/run.ts')
else if (what === 'accuracy') await import('./accuracy/run.ts')
else await import('./start.ts')
