/**
 * How a property on real services is run: a few times, unless DETERMINISM_RUNS says otherwise, from the seed of
 * DETERMINISM_SEED when one is given. The seed that fails is in the message; nothing is shrunk, since each run costs
 * seconds and what happens between processes does not repeat itself to the letter.
 */
export const propertyRuns = (fallback: number) => {
  const { DETERMINISM_RUNS: runs, DETERMINISM_SEED: seed } = process.env
  return {
    numRuns: runs ? Number(runs) : fallback,
    ...(seed ? { seed: Number(seed) } : {}),
    endOnFailure: true,
  }
}
