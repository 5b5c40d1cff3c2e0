-- SPDX-License-Identifier: Apache-2.0
-- What live sensors say about themselves: when the last status was stored, whether it was the last of a run, and its record.

-- +goose Up
ALTER TABLE sensors ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sensors ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sensors ADD COLUMN status BLOB;
