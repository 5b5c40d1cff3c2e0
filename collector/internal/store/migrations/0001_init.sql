-- SPDX-License-Identifier: Apache-2.0
-- Times are nanoseconds since the Unix epoch. Change numbers come from the one row of counter, within the transaction that makes the
-- change, so that readers never see them out of order.

-- +goose Up
CREATE TABLE counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  change INTEGER NOT NULL
);
INSERT INTO counter (id, change) VALUES (1, 0);

CREATE TABLE alerts (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL,
  change INTEGER NOT NULL,
  open INTEGER NOT NULL,
  at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  risk INTEGER NOT NULL,
  rule TEXT NOT NULL,
  kind TEXT NOT NULL,
  device TEXT NOT NULL,
  peer TEXT NOT NULL,
  domain TEXT NOT NULL,
  incident TEXT NOT NULL,
  sensor TEXT NOT NULL,
  replay INTEGER NOT NULL,
  title TEXT NOT NULL
);
CREATE INDEX alerts_at ON alerts (at);
CREATE INDEX alerts_risk ON alerts (risk);
CREATE INDEX alerts_change ON alerts (change);
CREATE INDEX alerts_device ON alerts (device, at);
CREATE INDEX alerts_incident ON alerts (incident) WHERE incident <> '';

CREATE TABLE revisions (
  alert INTEGER NOT NULL REFERENCES alerts (row),
  revision INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  json BLOB NOT NULL
);
CREATE UNIQUE INDEX revisions_alert ON revisions (alert, revision);

-- Exact-match keys of alerts: cid:COMMUNITY-ID, ip:ADDRESS, mac:MAC, domain:NAME, ja4:FINGERPRINT.
CREATE TABLE alert_keys (
  key TEXT NOT NULL,
  alert INTEGER NOT NULL,
  PRIMARY KEY (key, alert)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE alerts_text USING fts5 (
  words, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2"
);

CREATE TABLE incidents (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  change INTEGER NOT NULL,
  open INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  risk INTEGER NOT NULL,
  title TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  alerts INTEGER NOT NULL,
  devices TEXT NOT NULL,
  rules TEXT NOT NULL,
  sensors TEXT NOT NULL
);
CREATE INDEX incidents_first ON incidents (first_at);
CREATE INDEX incidents_risk ON incidents (risk);

CREATE TABLE devices (
  row INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  change INTEGER NOT NULL,
  from_alert INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  role TEXT NOT NULL,
  expect TEXT NOT NULL,
  text TEXT NOT NULL,
  json BLOB NOT NULL
);
CREATE INDEX devices_change ON devices (change);
CREATE INDEX devices_seen ON devices (last_seen);

CREATE TABLE device_hours (
  device TEXT NOT NULL,
  hour INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (device, hour, at)
) WITHOUT ROWID;

CREATE TABLE sensors (
  id TEXT PRIMARY KEY,
  site TEXT NOT NULL,
  version TEXT NOT NULL,
  iface TEXT NOT NULL,
  capture TEXT NOT NULL,
  rules_hash TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  boot TEXT NOT NULL,
  one_way INTEGER NOT NULL,
  loss REAL NOT NULL,
  max_loss REAL NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  alerts INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE boots (
  row INTEGER PRIMARY KEY,
  sensor TEXT NOT NULL,
  boot TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  max_seq INTEGER NOT NULL,
  received INTEGER NOT NULL,
  replay INTEGER NOT NULL,
  UNIQUE (sensor, boot)
);

-- One bit for each received sequence number, 8192 per block, lowest first. An empty blob is a complete block.
CREATE TABLE boot_blocks (
  boot INTEGER NOT NULL,
  block INTEGER NOT NULL,
  bits BLOB NOT NULL,
  PRIMARY KEY (boot, block)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  part INTEGER NOT NULL,
  off INTEGER NOT NULL,
  reason TEXT NOT NULL,
  key BLOB,
  value BLOB,
  size INTEGER NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (topic, part, off)
);

CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role TEXT NOT NULL,
  password TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  created INTEGER NOT NULL,
  last_seen INTEGER NOT NULL
);

CREATE TABLE sessions (
  hash BLOB PRIMARY KEY,
  user INTEGER NOT NULL REFERENCES users (id),
  csrf TEXT NOT NULL,
  remote TEXT NOT NULL,
  created INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  user INTEGER NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  expires INTEGER NOT NULL
);

CREATE TABLE links (
  hash BLOB PRIMARY KEY,
  user INTEGER NOT NULL REFERENCES users (id),
  expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  user TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  remote TEXT NOT NULL
);
