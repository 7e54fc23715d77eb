/**
 * The database of a store. What an object is lies in `object`; the bytes of a small one in `inline`, so that a change of
 * its row does not write them anew; of larger ones the files are named by the id, which is never used again. A row is
 * there before its files are (`incoming`), so that none is ever lost. `garbage` has the ids of objects that are gone,
 * until their files are too.
 *
 * The foreign keys on `object.cid` hold what refers to an object and the object together.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE object (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('incoming', 'partial', 'whole')),
    cid TEXT UNIQUE,
    size INTEGER,
    top BLOB,
    sha256 BLOB,
    ranges TEXT NOT NULL DEFAULT '',
    stored_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    verified_at INTEGER,
    condemned_at INTEGER,
    inline INTEGER NOT NULL DEFAULT 0,
    seal BLOB,
    CHECK (state = 'incoming' OR (cid IS NOT NULL AND size IS NOT NULL AND top IS NOT NULL AND seal IS NOT NULL))
  ) STRICT;
  CREATE TABLE inline (
    object INTEGER PRIMARY KEY REFERENCES object (id) ON DELETE CASCADE,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX object_sha256 ON object (sha256) WHERE sha256 IS NOT NULL;
  CREATE INDEX object_condemned ON object (condemned_at) WHERE condemned_at IS NOT NULL;
  CREATE INDEX object_unfinished ON object (state) WHERE state <> 'whole';

  CREATE TABLE reference (
    parent INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
    cid TEXT NOT NULL REFERENCES object (cid),
    seal BLOB NOT NULL,
    PRIMARY KEY (parent, cid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reference_cid ON reference (cid);

  CREATE TABLE namespace (
    name TEXT PRIMARY KEY,
    used_bytes INTEGER NOT NULL DEFAULT 0,
    max_bytes INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE holding (
    object INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
    namespace TEXT NOT NULL REFERENCES namespace (name),
    size INTEGER NOT NULL,
    PRIMARY KEY (object, namespace)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER holding_begins AFTER INSERT ON holding BEGIN
    UPDATE namespace SET used_bytes = used_bytes + NEW.size WHERE name = NEW.namespace;
  END;
  CREATE TRIGGER holding_ends AFTER DELETE ON holding BEGIN
    UPDATE namespace SET used_bytes = used_bytes - OLD.size WHERE name = OLD.namespace;
  END;

  CREATE TABLE link (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    cid TEXT NOT NULL REFERENCES object (cid),
    seal BLOB NOT NULL,
    PRIMARY KEY (namespace, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX link_cid ON link (cid);

  CREATE TABLE pin (
    cid TEXT NOT NULL REFERENCES object (cid),
    namespace TEXT NOT NULL,
    scope TEXT NOT NULL,
    class TEXT NOT NULL CHECK (class IN ('hot', 'warm', 'cold')),
    until INTEGER,
    seal BLOB NOT NULL,
    PRIMARY KEY (cid, namespace, scope)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE damage (
    object INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
    part TEXT NOT NULL,
    first_leaf INTEGER NOT NULL,
    leaves INTEGER NOT NULL,
    PRIMARY KEY (object, part, first_leaf, leaves)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE garbage (object INTEGER PRIMARY KEY) STRICT;

  CREATE TABLE scrub (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    object INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    finished_at INTEGER
  ) STRICT;
  INSERT INTO scrub VALUES (1, 0, 0, NULL);

  CREATE TABLE tally (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    partial INTEGER NOT NULL,
    collected_at INTEGER,
    logical_difference INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO tally VALUES (1, 0, 0, 0, NULL, 0);

  CREATE TABLE logical (
    object INTEGER PRIMARY KEY REFERENCES object (id) ON DELETE CASCADE,
    difference INTEGER NOT NULL,
    sha256 BLOB,
    seal BLOB NOT NULL
  ) STRICT;
  CREATE INDEX logical_sha256 ON logical (sha256) WHERE sha256 IS NOT NULL;
  CREATE TRIGGER logical_begins AFTER INSERT ON logical BEGIN
    UPDATE tally SET logical_difference = logical_difference + NEW.difference;
  END;
  CREATE TRIGGER logical_changes AFTER UPDATE ON logical BEGIN
    UPDATE tally SET logical_difference = logical_difference + NEW.difference - OLD.difference;
  END;
  CREATE TRIGGER logical_ends AFTER DELETE ON logical BEGIN
    UPDATE tally SET logical_difference = logical_difference - OLD.difference;
  END;
  CREATE TRIGGER object_filled AFTER UPDATE OF state ON object WHEN OLD.state <> NEW.state BEGIN
    UPDATE tally SET objects = objects + (OLD.state = 'incoming'),
      bytes = bytes + iif(OLD.state = 'incoming', NEW.size, 0),
      partial = partial + (NEW.state = 'partial') - (OLD.state = 'partial');
  END;
  CREATE TRIGGER object_removed AFTER DELETE ON object WHEN OLD.state <> 'incoming' BEGIN
    UPDATE tally SET objects = objects - 1, bytes = bytes - OLD.size, partial = partial - (OLD.state = 'partial');
  END;
  `,
];
