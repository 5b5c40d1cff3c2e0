// SPDX-License-Identifier: Apache-2.0

// Package store keeps what the sensors have told: alerts with all their revisions, the incidents that they form, devices,
// sensors with their losses, and the accounts of those who may read it. Store is the one interface; SQLite implements it.
package store

import (
	"context"
	"errors"
	"time"

	"stillwatch/schemas"
)

// Errors that a caller decides on; test with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	// ErrExists: a name that must be unique is taken.
	ErrExists = errors.New("already exists")
	// ErrCursor: a cursor that this store did not make, or made for another order.
	ErrCursor = errors.New("not a cursor of this list")
	// ErrRefused: the database works, and does not take what it was given: the same call never succeeds.
	ErrRefused = errors.New("the database refuses it")
	// ErrRetry: the database is locked, its disk is full, read-only or failing, or anything else is wrong that the caller's
	// data did not cause. Nothing of the call was stored; the same call may succeed later.
	ErrRetry = errors.New("the database cannot be written now")
)

// Store is everything the collector keeps. All methods may be called at once from many goroutines.
type Store interface {
	Ingest
	Records
	Accounts
	Close() error
}

// Ingest is the way in.
type Ingest interface {
	// Apply stores a batch in one transaction that is on disk when it returns: all of it or nothing. It is idempotent: an
	// alert whose (id, revision) is known changes nothing, whatever else differs. Its errors are ErrRefused or ErrRetry.
	Apply(ctx context.Context, b Batch) (Applied, error)
}

// Records is what was ingested.
type Records interface {
	Alerts(ctx context.Context, f AlertFilter, p Page) (AlertList, error)
	// CountAlerts counts at most limit alerts (0: all) that pass f.
	CountAlerts(ctx context.Context, f AlertFilter, limit int) (int, error)
	Alert(ctx context.Context, id string) (AlertRow, error)
	// Revisions gives all revisions of an alert, the lowest first.
	Revisions(ctx context.Context, id string) ([]AlertRow, error)
	Incidents(ctx context.Context, f IncidentFilter, p Page) (IncidentList, error)
	Incident(ctx context.Context, id string) (IncidentRow, error)
	Devices(ctx context.Context, f DeviceFilter, p Page) (DeviceList, error)
	Device(ctx context.Context, key string) (DeviceRow, error)
	// DeviceHours gives the hours in [from, to) in which the device is known to have opened something, in order.
	DeviceHours(ctx context.Context, key string, from, to schemas.Time) ([]DeviceHour, error)
	// Sensors gives all sensors by id.
	Sensors(ctx context.Context) ([]SensorRow, error)
	// Boots gives the runs of a sensor, the latest first, at most 100.
	Boots(ctx context.Context, sensor string) ([]BootRow, error)
	Overview(ctx context.Context) (Overview, error)
	DeadLetters(ctx context.Context, p Page) (DeadLetterList, error)

	// Changes gives what changed after the change number after, in order, at most limit (1000 if 0). Each alert and each
	// device is there once, with the number of its last change, so that a reader who was away gets what is new and no more.
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
	// LastChange gives the number of the latest change, 0 if there was none.
	LastChange(ctx context.Context) (int64, error)
	// Watch gives a channel that receives after a change by this process; several changes may give one receipt. Another
	// process on the same database is not heard: ask LastChange every second or so as well. Call stop when done.
	Watch() (changed <-chan struct{}, stop func())
}

// Accounts is who may read, and what they did. Hashes are opaque here: package auth makes and compares them.
type Accounts interface {
	AddUser(ctx context.Context, u User) (User, error) // ErrExists; ID and Created are set here
	Users(ctx context.Context) ([]User, error)
	User(ctx context.Context, id int64) (User, error)
	UserByName(ctx context.Context, name string) (User, error)
	UpdateUser(ctx context.Context, u User) error // role, password hash, disabled; by ID
	TouchUser(ctx context.Context, id int64, at time.Time) error

	AddSession(ctx context.Context, s Session) error
	SessionByHash(ctx context.Context, hash []byte) (Session, error)
	TouchSession(ctx context.Context, hash []byte, at time.Time) error
	DeleteSession(ctx context.Context, hash []byte) error
	DeleteUserSessions(ctx context.Context, user int64) error
	// DeleteExpired removes sessions and links that have ended at now.
	DeleteExpired(ctx context.Context, now time.Time) error

	AddToken(ctx context.Context, t Token) (Token, error)
	Tokens(ctx context.Context) ([]Token, error)
	TokenByHash(ctx context.Context, hash []byte) (Token, error)
	TouchToken(ctx context.Context, id int64, at time.Time) error
	DeleteToken(ctx context.Context, id int64) error

	AddLink(ctx context.Context, l Link) error
	// TakeLink gives a link and removes it, so that it can be used once; ErrNotFound when it is used up or ended at now.
	TakeLink(ctx context.Context, hash []byte, now time.Time) (Link, error)

	// AddPlace notes from where a user signed in; KnowsPlace tells whether the user of that name ever did from there.
	AddPlace(ctx context.Context, user int64, place string, at time.Time) error
	KnowsPlace(ctx context.Context, name, place string) (bool, error)

	AddAudit(ctx context.Context, e AuditEntry) error
	// TrimAudit removes the oldest entries beyond what is kept: 100,000 of what users did, 10,000 refusals.
	TrimAudit(ctx context.Context) error
	Audit(ctx context.Context, p Page) (AuditList, error)
}
