import { createHash } from 'node:crypto'
import { z } from 'zod'
import { featureNames } from '../features/features.ts'
import type { RecentForm } from '../features/recent.ts'

const name = z.string().min(1)
const numbers = z.array(z.number())

/** Most values of a window: they are part of the state of each entity. */
const MAX_CELLS = 16_384

/** How a graph that is not ours is fed, and what its outputs mean. */
export const foreignFormSchema = z
  .strictObject({
    /** What made it, for people. */
    origin: name,
    /** Name of the input, float32. */
    input: name,
    /** What it takes of an event: row: batch × columns; window: batch × events × columns; image: batch × channels × events × columns. */
    layout: z.enum(['row', 'window', 'image']),
    /** Names of the features that are its columns, in its order. */
    columns: z.array(name).min(1).max(512),
    /** Of each column, the values that become 0 and 1; what is beyond is cut. A row without it holds the values as they are. */
    scale: z.strictObject({ low: numbers, high: numbers }).optional(),
    /** Events in a window, the one that is judged last. */
    events: z.int().min(1).max(256),
    /** How often an image is there, once a channel. */
    channels: z.int().min(1).max(16),
    /** An entity is judged from this many events on; until then its score is 0. */
    from: z.int().min(1),
    /** Events of every run. */
    batch: z.int().min(1).max(4096),
    outputs: z
      .strictObject({
        /** One number an event. */
        score: name.optional(),
        /** One value an event that is `anomaly` where the model calls it one. */
        label: name.optional(),
        /** By how much each cell of a window, or each column of a row, makes it one: any size that is a multiple. */
        map: name.optional(),
        /** The input again, as the model would have it: the mean squared difference is the score where there is no other. */
        reconstruction: name.optional(),
      })
      .refine(each => Object.values(each).some(Boolean), 'it names no output'),
    /** The value of the label that stands for an anomaly. */
    anomaly: z.number(),
    /** From the model's own score to 0 to 1, by straight lines between these points [own, score]; as it is without them. */
    points: z
      .array(z.tuple([z.number(), z.number().min(0).max(1)]))
      .min(2)
      .optional(),
    /** Of each column, the range that it usually is in, for people. */
    expected: z.strictObject({ low: numbers, high: numbers }).optional(),
    /** Of each column, a usual value: what it is set to, to see what it adds to the score where no output tells. */
    usual: numbers.optional(),
  })
  .superRefine((form, context) => {
    const problem = (message: string) => context.addIssue({ code: 'custom', message })
    const width = form.columns.length
    for (const each of ['scale', 'expected'] as const) {
      const range = form[each]
      if (range !== undefined && (range.low.length !== width || range.high.length !== width))
        problem(`${each} has not ${width} values, one a column`)
      if (range?.low.some((low, i) => !(low < (range.high[i] ?? low))))
        problem(`${each}: a low is not below its high`)
    }
    if (form.usual !== undefined && form.usual.length !== width)
      problem(`usual has not ${width} values, one a column`)
    if (form.layout === 'row' ? form.events !== 1 : form.scale === undefined)
      problem(form.layout === 'row' ? 'a row is of one event' : `a ${form.layout} needs a scale`)
    if (form.layout !== 'image' && form.channels !== 1) problem('only an image has channels')
    if (form.events > 1 && form.events * width > MAX_CELLS)
      problem(`a window of ${form.events} × ${width} is over ${MAX_CELLS} cells`)
    if (form.from > form.events) problem(`from is over ${form.events}, the events of a window`)
    const { points = [] } = form
    if (points.some(([own], i) => i > 0 && own <= (points[i - 1]?.[0] ?? own)))
      problem('the points are not in order of the own score')
    const steps = points.slice(1).map(([, score], i) => score - (points[i]?.[1] ?? 0))
    if (steps.some(step => step < 0) && steps.some(step => step > 0))
      problem('the scores of the points neither rise nor fall all along')
  })

/** How a graph that is not ours is fed, and what its outputs mean. */
export type ForeignForm = z.infer<typeof foreignFormSchema>

/** Which of an entity's latest events the model looks at; undefined when it looks at the event alone. */
export const recentFormOf = (form: ForeignForm | undefined): RecentForm | undefined => {
  if (form?.scale === undefined || form.layout === 'row') return undefined
  const { events, columns, scale } = form
  const id = createHash('sha256')
    .update(JSON.stringify([columns, scale]))
    .digest('hex')
    .slice(0, 12)
  return { events, columns: columns.map(column => featureNames.indexOf(column)), ...scale, id }
}

/** A feature's value as a cell of a column holds it: by the scale, where there is one. */
export const scaled = ({ scale }: ForeignForm, column: number, value: number): number => {
  if (scale === undefined) return value
  const [low, high] = [scale.low[column] ?? 0, scale.high[column] ?? 1]
  return Math.min(1, Math.max(0, (value - low) / (high - low)))
}

/** A cell's value as the feature has it. */
export const unscaled = ({ scale }: ForeignForm, column: number, value: number): number => {
  if (scale === undefined) return value
  const [low, high] = [scale.low[column] ?? 0, scale.high[column] ?? 1]
  return low + value * (high - low)
}
