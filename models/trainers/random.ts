/** A source of randomness that is the same on every machine for the same seed. */
export interface Random {
  /** Uniform in [0, 1), with 53 bits. */
  next(): number
  /** Uniform whole number in [0, bound). */
  below(bound: number): number
}

/**
 * sfc32, the 32-bit "small fast counting" generator of Chris Doty-Humphrey (PractRand, `sfc.h`): 128 bits of state, 32-bit
 * integer arithmetic only. Seeded as PractRand does, with 12 steps run off.
 */
export const createRandom = (seed: number): Random => {
  let a = 0
  let b = seed >>> 0
  let c = Math.floor(seed / 2 ** 32) >>> 0
  let counter = 1
  const step = (): number => {
    const out = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = (b ^ (b >>> 9)) >>> 0
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + out) >>> 0
    return out
  }
  for (let i = 0; i < 12; i++) step()
  const next = () => {
    const high = step() >>> 5
    const low = step() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }
  return { next, below: bound => Math.floor(next() * bound) }
}

/** Draws `count` of the numbers below `below`, without replacement (Fisher–Yates, stopped early). */
export const drawNumbers = (below: number, count: number, random: Random): Int32Array => {
  const all = Int32Array.from({ length: below }, (_, i) => i)
  for (let i = 0; i < count; i++) {
    const j = i + random.below(below - i)
    const swapped = all[i] ?? 0
    all[i] = all[j] ?? 0
    all[j] = swapped
  }
  return all.slice(0, count)
}
