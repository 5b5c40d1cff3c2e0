// SPDX-License-Identifier: Apache-2.0

// Package store is the database of the collector: alerts with all revisions, incidents, devices, sensors with their losses, the
// dead-letter queue, and user accounts with the audit log. Store is the interface; SQLite implements it.
package store

import (
	"context"
	"errors"
	"time"

	"stillwatch/schemas"
)

// Errors that callers test with errors.Is.
var (
	// ErrNotFound means that there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrExists means that a unique name is already in use.
	ErrExists = errors.New("already exists")
	// ErrCursor means that a cursor is invalid or belongs to another list or order.
	ErrCursor = errors.New("invalid cursor")
	// ErrRejected means that the database rejects the data itself, so that the same call never succeeds.
	ErrRejected = errors.New("rejected by the database")
	// ErrRetry means that the database is locked, its disk is full, read-only or failing, or that something else is wrong that
	// the caller's data did not cause. Nothing was stored; the same call may succeed later.
	ErrRetry = errors.New("the database is not writable at present")
)

// Store is the whole database. Its methods are safe for concurrent use.
type Store interface {
	Ingest
	Records
	Accounts
	Close() error
}

// Ingest stores records.
type Ingest interface {
	// Apply stores a batch in one transaction, which is on disk when Apply returns. It is idempotent: an alert whose
	// (id, revision) is already stored changes nothing. Its errors wrap ErrRejected or ErrRetry.
	Apply(ctx context.Context, b Batch) (Applied, error)
	// TrimEvidence deletes packets of alerts that were stored before a time, and the oldest ones until the rest has at most that many bytes.
	TrimEvidence(ctx context.Context, most int64, before time.Time) (dropped int64, err error)
}

// Records queries the ingested records.
type Records interface {
	Alerts(ctx context.Context, f AlertFilter, p Page) (AlertList, error)
	// CountAlerts counts the alerts that match f, up to limit (0: no limit).
	CountAlerts(ctx context.Context, f AlertFilter, limit int) (int, error)
	Alert(ctx context.Context, id string) (AlertRow, error)
	// Revisions returns all revisions of an alert, lowest first.
	Revisions(ctx context.Context, id string) ([]AlertRow, error)
	// Evidence returns the packets of a stored alert by their SHA-256, and HasEvidence which of those that an alert names are stored.
	Evidence(ctx context.Context, sha256 string) (EvidenceRow, error)
	HasEvidence(ctx context.Context, a *schemas.Alert) (map[string]bool, error)
	// EvidenceSize returns how many files with packets are stored, and their bytes.
	EvidenceSize(ctx context.Context) (files, bytes int64, err error)
	Incidents(ctx context.Context, f IncidentFilter, p Page) (IncidentList, error)
	Incident(ctx context.Context, id string) (IncidentRow, error)
	Devices(ctx context.Context, f DeviceFilter, p Page) (DeviceList, error)
	Device(ctx context.Context, key string) (DeviceRow, error)
	// DeviceHours returns the hours in [from, to) in which the device is known to have opened a session, in order.
	DeviceHours(ctx context.Context, key string, from, to schemas.Time) ([]DeviceHour, error)
	// Sensors returns all sensors, sorted by id.
	Sensors(ctx context.Context) ([]SensorRow, error)
	// Boots returns the runs of a sensor, latest first, at most 100.
	Boots(ctx context.Context, sensor string) ([]BootRow, error)
	Overview(ctx context.Context) (Overview, error)
	DeadLetters(ctx context.Context, p Page) (DeadLetterList, error)

	// Changes returns the alerts and devices that changed after the change number after, in order, at most limit (0: 1000). Each
	// appears once, with the number of its last change, so that a client that was disconnected receives only what is new.
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
	// LastChange returns the number of the latest change, 0 if there is none.
	LastChange(ctx context.Context) (int64, error)
	// Watch returns a channel that receives after changes by this process; several changes may cause one receive. Changes by
	// another process on the same database are not signaled: poll LastChange too. Call stop when done.
	Watch() (changed <-chan struct{}, stop func())
}

// Accounts holds users, sessions, API tokens and the audit log. Hashes are opaque here: package auth computes and compares them.
type Accounts interface {
	AddUser(ctx context.Context, u User) (User, error) // sets ID and Created; ErrExists if the name is in use
	Users(ctx context.Context) ([]User, error)
	User(ctx context.Context, id int64) (User, error)
	UserByName(ctx context.Context, name string) (User, error)
	UpdateUser(ctx context.Context, u User) error // updates role, password hash and disabled
	TouchUser(ctx context.Context, id int64, at time.Time) error

	AddSession(ctx context.Context, s Session) error
	SessionByHash(ctx context.Context, hash []byte) (Session, error)
	TouchSession(ctx context.Context, hash []byte, at time.Time) error
	DeleteSession(ctx context.Context, hash []byte) error
	DeleteUserSessions(ctx context.Context, user int64) error
	// DeleteExpired deletes sessions and links that have expired at now.
	DeleteExpired(ctx context.Context, now time.Time) error

	AddToken(ctx context.Context, t Token) (Token, error)
	Tokens(ctx context.Context) ([]Token, error)
	TokenByHash(ctx context.Context, hash []byte) (Token, error)
	TouchToken(ctx context.Context, id int64, at time.Time) error
	DeleteToken(ctx context.Context, id int64) error

	AddLink(ctx context.Context, l Link) error
	// TakeLink returns and deletes a link, so that it works once. It returns ErrNotFound if the link was used or has expired at now.
	TakeLink(ctx context.Context, hash []byte, now time.Time) (Link, error)

	// AddSource records the source address from which a user signed in. KnowsSource reports whether the user of that name has
	// signed in from it before.
	AddSource(ctx context.Context, user int64, source string, at time.Time) error
	KnowsSource(ctx context.Context, name, source string) (bool, error)

	AddAudit(ctx context.Context, e AuditEntry) error
	// TrimAudit deletes the oldest audit entries: it keeps 100,000 actions of users and 10,000 rejected sign-ins.
	TrimAudit(ctx context.Context) error
	Audit(ctx context.Context, p Page) (AuditList, error)
}
