-- The records of the CI server. Times are milliseconds since 1970.
CREATE TABLE IF NOT EXISTS repositories (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  plugin TEXT NOT NULL,
  version TEXT NOT NULL,
  properties TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS packages (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  repository TEXT NOT NULL REFERENCES repositories (id),
  auto_update INTEGER NOT NULL,
  properties TEXT NOT NULL
);

-- A revision is unique for ever; `upstream` counts the upstream pipeline, 0 for a package.
CREATE TABLE IF NOT EXISTS modifications (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  revision TEXT NOT NULL,
  user_name TEXT NOT NULL,
  comment TEXT NOT NULL,
  modified_at INTEGER NOT NULL,
  data TEXT NOT NULL,
  upstream INTEGER NOT NULL DEFAULT 0,
  UNIQUE (fingerprint, revision)
);

CREATE TABLE IF NOT EXISTS instances (
  id INTEGER PRIMARY KEY,
  pipeline TEXT NOT NULL,
  counter INTEGER NOT NULL,
  label TEXT NOT NULL,
  message TEXT NOT NULL,
  forced INTEGER NOT NULL,
  UNIQUE (pipeline, counter)
);

-- What an instance was built from, newest modification first.
CREATE TABLE IF NOT EXISTS causes (
  instance INTEGER NOT NULL REFERENCES instances (id),
  position INTEGER NOT NULL,
  material TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  type TEXT NOT NULL,
  description TEXT NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (instance, position)
);

CREATE TABLE IF NOT EXISTS cause_modifications (
  instance INTEGER NOT NULL REFERENCES instances (id),
  position INTEGER NOT NULL,
  modification INTEGER NOT NULL REFERENCES modifications (id),
  PRIMARY KEY (instance, position, modification)
);

CREATE TABLE IF NOT EXISTS locks (
  pipeline TEXT PRIMARY KEY,
  instance INTEGER NOT NULL REFERENCES instances (id)
);

CREATE TABLE IF NOT EXISTS stages (
  id INTEGER PRIMARY KEY,
  instance INTEGER NOT NULL REFERENCES instances (id),
  name TEXT NOT NULL,
  counter INTEGER NOT NULL,
  approval_type TEXT NOT NULL,
  approved_by TEXT NOT NULL,
  scheduled_at INTEGER NOT NULL,
  clean INTEGER NOT NULL,
  result TEXT NOT NULL DEFAULT 'Unknown',
  UNIQUE (instance, name, counter)
);

-- `pid` and its identity `pid_started` (services/contract/process_identity.py) name the task's process, so that what a dead server left behind can be ended.
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY,
  stage INTEGER NOT NULL REFERENCES stages (id),
  name TEXT NOT NULL,
  scheduled_at INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'Scheduled',
  result TEXT NOT NULL DEFAULT 'Unknown',
  agent TEXT,
  pid INTEGER,
  pid_started TEXT,
  UNIQUE (stage, name)
);

CREATE TABLE IF NOT EXISTS transitions (
  job INTEGER NOT NULL REFERENCES jobs (id),
  state TEXT NOT NULL,
  at INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS config_repos (
  id TEXT PRIMARY KEY,
  definition TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS access_tokens (
  id INTEGER PRIMARY KEY,
  user_name TEXT NOT NULL,
  description TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS causes_by_material ON causes (fingerprint);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE INDEX IF NOT EXISTS transitions_by_job ON transitions (job);
