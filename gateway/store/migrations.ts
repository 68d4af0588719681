/** The databases that the store runs on. */
export type Dialect = 'sqlite' | 'postgres'

/**
 * What the dialects spell differently: numbers of 64 bits, whole or not, a primary key that counts up and never gives a
 * number twice, and the end of a table's definition.
 */
interface Spelling {
  readonly whole: string
  readonly real: string
  readonly counter: string
  readonly end: string
}

const SPELLING: Readonly<Record<Dialect, Spelling>> = {
  // STRICT, because SQLite would otherwise take a text for a number.
  sqlite: { whole: 'INTEGER', real: 'REAL', counter: 'INTEGER PRIMARY KEY AUTOINCREMENT', end: ') STRICT' },
  postgres: {
    whole: 'BIGINT',
    real: 'DOUBLE PRECISION',
    counter: 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
    end: ')',
  },
}

const first = ({ whole, end }: Spelling): string => `
  CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    username      TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    disabled      ${whole} NOT NULL DEFAULT 0,
    created_at    ${whole} NOT NULL
  ${end};

  CREATE TABLE signing_keys (
    kid        TEXT PRIMARY KEY,
    sealed     TEXT NOT NULL,
    created_at ${whole} NOT NULL
  ${end};

  CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at ${whole} NOT NULL,
    expires_at ${whole} NOT NULL,
    ended      ${whole} NOT NULL DEFAULT 0
  ${end};
  CREATE INDEX sessions_by_user ON sessions (user_id);
  CREATE INDEX sessions_by_expiry ON sessions (expires_at);

  CREATE TABLE refresh_tokens (
    hash       TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at ${whole} NOT NULL,
    used       ${whole} NOT NULL DEFAULT 0
  ${end};
  CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
`

const second = ({ whole, end }: Spelling): string => `
  ALTER TABLE users ADD COLUMN password_expires_at ${whole};

  ALTER TABLE signing_keys ADD COLUMN signs_from ${whole} NOT NULL DEFAULT 0;

  ALTER TABLE sessions ADD COLUMN last_used_at ${whole} NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
  ALTER TABLE sessions ADD COLUMN client TEXT NOT NULL DEFAULT '';

  ALTER TABLE refresh_tokens ADD COLUMN used_at ${whole};
  ALTER TABLE refresh_tokens ADD COLUMN successor TEXT;
  UPDATE refresh_tokens SET used_at = 0 WHERE used <> 0;
  ALTER TABLE refresh_tokens DROP COLUMN used;

  CREATE TABLE totp_secrets (
    user_id   TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed    TEXT NOT NULL,
    confirmed ${whole} NOT NULL DEFAULT 0,
    last_step ${whole} NOT NULL DEFAULT 0
  ${end};

  CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   ${whole} NOT NULL,
    expires_at   ${whole} NOT NULL,
    last_used_at ${whole}
  ${end};

  CREATE TABLE revocations (
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    revoked_at ${whole} NOT NULL,
    expires_at ${whole} NOT NULL,
    PRIMARY KEY (kind, subject)
  ${end};

  CREATE TABLE access_changes (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    changed_at ${whole} NOT NULL
  ${end};
  CREATE INDEX access_changes_by_time ON access_changes (changed_at);

  CREATE TABLE audit (
    id        TEXT PRIMARY KEY,
    at        ${whole} NOT NULL,
    event     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    actor     TEXT,
    subject   TEXT,
    address   TEXT,
    detail    TEXT NOT NULL,
    published ${whole} NOT NULL DEFAULT 0
  ${end};
  CREATE INDEX audit_by_actor ON audit (actor, id);
  CREATE INDEX audit_unpublished ON audit (id) WHERE published = 0;
`

const third = ({ whole, real, end }: Spelling): string => `
  CREATE TABLE history_channels (
    channel TEXT PRIMARY KEY,
    epoch   TEXT NOT NULL
  ${end};

  CREATE TABLE history_partitions (
    channel         TEXT NOT NULL,
    epoch           TEXT NOT NULL,
    part            ${whole} NOT NULL,
    head            ${whole} NOT NULL,
    forgotten       ${whole} NOT NULL,
    forgotten_stamp ${whole} NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, epoch, part)
  ${end};

  CREATE TABLE history (
    channel   TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    part      ${whole} NOT NULL,
    place     ${whole} NOT NULL,
    stamp     ${whole} NOT NULL,
    added_at  ${whole} NOT NULL,
    id        TEXT NOT NULL,
    time      ${whole} NOT NULL,
    entity    TEXT NOT NULL,
    severity  ${whole} NOT NULL,
    score     ${real} NOT NULL,
    status    TEXT,
    is_latest ${whole} NOT NULL,
    data      TEXT,
    PRIMARY KEY (channel, epoch, part, place)
  ${end};
  CREATE INDEX history_by_time ON history (channel, epoch, time, part, place) WHERE is_latest = 1;
  CREATE INDEX history_by_id ON history (channel, epoch, id) WHERE is_latest = 1;
  CREATE INDEX history_by_entity ON history (entity, channel, epoch, time);
`

const fourth = ({ whole, counter, end }: Spelling): string => `
  CREATE TABLE decisions (
    seq        ${counter},
    id         TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    at         ${whole} NOT NULL,
    actor      TEXT NOT NULL,
    alert_id   TEXT,
    revision   ${whole},
    entity     TEXT,
    expires_at ${whole},
    ended_at   ${whole},
    content    TEXT NOT NULL
  ${end};
  CREATE INDEX decisions_by_alert ON decisions (alert_id, seq);
  CREATE INDEX decisions_by_entity ON decisions (entity);
  CREATE INDEX suppressions_in_force ON decisions (seq) WHERE kind = 'suppress' AND ended_at IS NULL;

  CREATE TABLE decision_outbox (
    seq     ${counter},
    id      TEXT NOT NULL,
    at      ${whole} NOT NULL,
    content TEXT
  ${end};
`

const fifth = ({ end }: Spelling): string => `
  CREATE TABLE row_filters (
    holder TEXT PRIMARY KEY,
    filter TEXT NOT NULL
  ${end};
`

const sixth = (): string => `
  CREATE INDEX history_open_alerts ON history (severity) WHERE channel = 'alerts' AND is_latest = 1 AND status = 'open';
`

const seventh = ({ whole }: Spelling): string => `
  ALTER TABLE history_channels ADD COLUMN erasures ${whole} NOT NULL DEFAULT 0;
`

const MIGRATIONS: readonly ((spelling: Spelling) => string)[] = [
  first,
  second,
  third,
  fourth,
  fifth,
  sixth,
  seventh,
]

/**
 * The SQL schema, one entry a version, applied in order at start and never undone. An entry that was released is not
 * changed any more: what it lacks goes into a new one.
 */
export const migrationsFor = (dialect: Dialect): readonly string[] =>
  MIGRATIONS.map(migration => migration(SPELLING[dialect]))
