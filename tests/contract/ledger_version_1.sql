-- A ledger as the first release made it, with one part; the migrations must go on reading it.
BEGIN;
CREATE TABLE parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    series TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    outcome TEXT NOT NULL CHECK (outcome IN ('OK', 'NG', 'UNSURE', 'MISSED')),
    label TEXT,                         -- slug of the class that won
    score REAL,                         -- 0 to 1
    p_normal REAL,                      -- 0 to 1
    distance REAL,                      -- squared Mahalanobis
    cause TEXT NOT NULL,
    degraded TEXT NOT NULL,             -- JSON list of words
    recipe TEXT NOT NULL,
    knowledge TEXT NOT NULL,            -- digest
    embedding BLOB,                     -- int16, little endian
    present TEXT,                       -- JSON list of modalities in the embedding
    picture TEXT NOT NULL,              -- digest, empty where none was kept
    action TEXT CHECK (action IN ('pass', 'reject')),
    committed_late INTEGER NOT NULL CHECK (committed_late IN (0, 1)),
    trigger_s REAL,                     -- the seven times: host monotonic seconds
    frame_s REAL,
    paired_s REAL,
    inferred_s REAL,
    decided_s REAL,
    committed_s REAL,
    acted_s REAL,
    decided_utc REAL NOT NULL,          -- seconds since the epoch
    truth TEXT,                         -- class slug, where it is known
    operator_label TEXT,                -- class slug, the person's present word
    UNIQUE (series, number)
) STRICT;
CREATE INDEX parts_by_time ON parts (decided_utc, outcome);
CREATE TABLE tallies (outcome TEXT PRIMARY KEY, parts INTEGER NOT NULL) STRICT;
INSERT INTO tallies VALUES ('OK', 0), ('NG', 0), ('UNSURE', 0), ('MISSED', 0);
CREATE TRIGGER parts_tally AFTER INSERT ON parts BEGIN
    UPDATE tallies SET parts = parts + 1 WHERE outcome = NEW.outcome;
END;
CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    part INTEGER NOT NULL REFERENCES parts (id),
    utc REAL NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('confirm', 'correct', 'undo')),
    label TEXT CHECK ((label IS NULL) = (kind = 'undo')),
    who TEXT NOT NULL
) STRICT;
CREATE INDEX labels_by_part ON labels (part);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_utc REAL NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    component TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NOT NULL                  -- JSON object
) STRICT;
CREATE TABLE teachings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    utc REAL NOT NULL,
    action TEXT NOT NULL,               -- teach, forget, undo
    slug TEXT NOT NULL,                 -- the class
    before TEXT NOT NULL,               -- digest of the knowledge, empty where there was none
    after TEXT NOT NULL,
    sources TEXT NOT NULL,              -- JSON list: where the examples came from
    who TEXT NOT NULL
) STRICT;
INSERT INTO parts (id, series, number, outcome, label, score, cause, degraded, recipe, knowledge, embedding,
    present, picture, action, committed_late, trigger_s, decided_s, decided_utc)
VALUES (41, 'line-a', 7, 'NG', 'scratch', 0.9, '', '["dark"]', 'default', '', x'0100feff',
    '["image"]', '', 'reject', 0, 1.5, 1.75, 1700000000.25);
INSERT INTO labels VALUES (1, 41, 1700000001.0, 'correct', 'pit', 'ana');
PRAGMA user_version = 1;
COMMIT;
