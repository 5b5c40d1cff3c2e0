-- SPDX-License-Identifier: Apache-2.0
-- The packets of alerts, files in the format pcapng. An alert and its packets arrive in any order.

-- +goose Up
CREATE TABLE evidence (
  row INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  alert TEXT NOT NULL,
  sensor TEXT NOT NULL,
  packets INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE INDEX evidence_stored ON evidence (stored_at, size);
