PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
-- The writer checkpoints by itself; the log does not outgrow this after one.
PRAGMA journal_size_limit = 8388608;

CREATE TABLE IF NOT EXISTS meta (
    -- build: which candidate this is about. rules: by which rules the evidence was gathered.
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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
    -- Compared exchanges, whatever the rules were.
    seen INTEGER NOT NULL,
    -- Evidence, since the rules are what they are.
    pairs INTEGER NOT NULL,
    mismatches INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    counted_mismatches INTEGER NOT NULL,
    askable INTEGER NOT NULL,
    aa_pairs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of the pairs for which legacy was asked twice; see noise.rs.
CREATE TABLE IF NOT EXISTS fields (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Empty: that side has no value.
    legacy_class TEXT NOT NULL,
    candidate_class TEXT NOT NULL,
    b INTEGER NOT NULL,
    c INTEGER NOT NULL,
    both INTEGER NOT NULL,
    UNIQUE (endpoint, path, kind, legacy_class, candidate_class)
) STRICT;

CREATE TABLE IF NOT EXISTS findings (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    legacy_class TEXT NOT NULL,
    candidate_class TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- Empty: no rule explains it.
    rule TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    -- Of the first sighting, redacted.
    legacy TEXT,
    candidate TEXT,
    UNIQUE (endpoint, path, kind, legacy_class, candidate_class, severity, rule)
) STRICT;

-- A few exchanges of each finding, any as likely as any other.
CREATE TABLE IF NOT EXISTS samples (
    finding INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    exchange INTEGER NOT NULL,
    PRIMARY KEY (finding, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS samples_by_exchange ON samples (exchange);

CREATE TABLE IF NOT EXISTS trend (
    finding INTEGER NOT NULL,
    -- Since the Unix epoch.
    hour INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (finding, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS minutes (
    -- Since the Unix epoch.
    minute INTEGER PRIMARY KEY,
    pairs INTEGER NOT NULL,
    counted INTEGER NOT NULL
) STRICT;

-- What became of the requests, over all runs: received, mirrored, compared, skipped:REASON and so on.
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
