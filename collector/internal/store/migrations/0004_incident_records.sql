-- SPDX-License-Identifier: Apache-2.0
-- The last revision of the record that the sensor publishes of an incident: title, narrative, stages. Rows of incidents have the sums
-- of the alerts that are stored, and the title of the record.

-- +goose Up
CREATE TABLE incident_records (
  id TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  sensor TEXT NOT NULL,
  title TEXT NOT NULL,
  json BLOB NOT NULL
) WITHOUT ROWID;
