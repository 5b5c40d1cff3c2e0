-- SPDX-License-Identifier: Apache-2.0
-- The source addresses from which each user has signed in. Sign-ins from them are exempt from the rate limit per user name.

-- +goose Up
CREATE TABLE sign_in_places (
  user INTEGER NOT NULL REFERENCES users (id),
  place TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (user, place)
) WITHOUT ROWID;
