-- SPDX-License-Identifier: Apache-2.0
-- Covering indexes with the columns that lists filter by, so that rows are read for one page only. The row number comes before the
-- columns that are only filtered by, because it breaks ties in the order.

-- +goose Up
DROP INDEX alerts_at;
DROP INDEX alerts_risk;
DROP INDEX alerts_device;
CREATE INDEX alerts_at ON alerts (at, row, open, severity, risk, replay, rule, kind, sensor);
CREATE INDEX alerts_risk ON alerts (risk, row, open, severity, at, replay, rule, kind, sensor);
CREATE INDEX alerts_device ON alerts (device, at, row, open, severity, risk);
CREATE INDEX alerts_open ON alerts (open, severity);
