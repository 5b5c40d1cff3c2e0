-- SPDX-License-Identifier: Apache-2.0
-- Whether a policy suppresses an alert. The indexes of lists have it, so that rows are read for one page only.

-- +goose Up
ALTER TABLE alerts ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
UPDATE alerts SET suppressed = 1 WHERE EXISTS (SELECT 1 FROM revisions r
  WHERE r.alert = alerts.row AND r.revision = alerts.revision AND coalesce(json_extract(CAST(r.json AS TEXT), '$.suppressed_by'), '') <> '');
DROP INDEX alerts_at;
DROP INDEX alerts_risk;
CREATE INDEX alerts_at ON alerts (at, row, open, severity, risk, replay, suppressed, rule, kind, sensor);
CREATE INDEX alerts_risk ON alerts (risk, row, open, severity, at, replay, suppressed, rule, kind, sensor);
