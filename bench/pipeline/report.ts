import { median } from './processes.ts'

/** A table in Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

/** A rate, in whole events a second. */
export const perSecond = (value: number): string => Math.round(value).toLocaleString('en')

/** Something small, with one decimal. */
export const decimal = (value: number): string => value.toFixed(1)

/** The median of some runs, and in brackets their least and most when there are several. */
export const spread = (values: readonly number[], show: (value: number) => string): string =>
  values.length < 2
    ? values.map(show).join('')
    : `${show(median(values))} (${show(Math.min(...values))}–${show(Math.max(...values))})`
