/** A value in a statement. Flags are 0 and 1, times are ms since 1970 (UTC), so that every database means the same. */
export type SqlValue = string | number | null

/** Statements that run one after the other. `?` stands for a value. */
export interface Sql {
  /** The rows of a query, or of a statement with RETURNING. */
  all(sql: string, ...values: readonly SqlValue[]): Promise<readonly unknown[]>
  /** Runs a statement; resolves with the number of rows that it changed. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<number>
}

/**
 * An SQL database, as much of it as the store needs. What has been committed survives the death of the process and of the
 * machine. Statements throw NS_SERVICE_UNREACHABLE (retriable) while the database is away or busy.
 */
export interface Database extends Sql {
  /**
   * Runs `work` in a transaction: all of it is done, or nothing when it throws. `work` must wait for nothing but its own
   * statements: others may be waiting for it.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /**
   * A transaction of which one runs at a time, whichever gateway began it: what it reads stays true until it ends, also
   * that a row is not there.
   */
  exclusive<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /** What is wrong with the database, if anything. Never throws. */
  problem(): Promise<string | undefined>
  /** May be called twice. */
  close(): Promise<void>
}
