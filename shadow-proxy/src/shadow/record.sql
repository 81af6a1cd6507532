PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
-- The writer checkpoints by itself; the log does not outgrow this after one.
PRAGMA journal_size_limit = 8388608;

CREATE TABLE IF NOT EXISTS exchanges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    verdict TEXT NOT NULL,
    served_by TEXT NOT NULL,
    legacy_decision TEXT NOT NULL,
    candidate_decision TEXT NOT NULL,
    legacy_us INTEGER NOT NULL,
    candidate_us INTEGER NOT NULL,
    -- Redacted call and answers, JSON.
    shown TEXT NOT NULL,
    differences TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS exchanges_by_age ON exchanges (at_ms);

CREATE TABLE IF NOT EXISTS endpoints (
    endpoint TEXT PRIMARY KEY,
    pairs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS findings (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- Empty: no rule explains it.
    rule TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    -- Of the first sighting, redacted.
    legacy TEXT,
    candidate TEXT,
    exchange INTEGER,
    UNIQUE (endpoint, path, kind, severity, rule)
) STRICT;
