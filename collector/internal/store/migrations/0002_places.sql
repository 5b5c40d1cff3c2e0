-- SPDX-License-Identifier: Apache-2.0
-- From where each user has signed in: the brake on guessing a name never shuts out who comes from there.

-- +goose Up
CREATE TABLE sign_in_places (
  user INTEGER NOT NULL REFERENCES users (id),
  place TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (user, place)
) WITHOUT ROWID;
