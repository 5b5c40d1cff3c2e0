// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stillwatch/collector/internal/store"
)

// refusalRows is how many sources have refusals of their own in the audit trail within a minute; those of all others are one row.
const refusalRows = 30

// refusals keeps strangers from filling the disk: the first refusal of a source in a minute is written at once, and all others
// of that minute are one row with their number, once it is over.
type refusals struct {
	mu     sync.Mutex
	minute time.Time
	by     map[string]*refusal // by source; "" for those beyond refusalRows
}

type refusal struct {
	more              int // after the first
	name, why, remote string
}

// note counts one refusal. first says that it is to be written now; over is what the minute before has left to write.
func (r *refusals) note(source string, one refusal, now time.Time) (first bool, over []store.AuditEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	over = r.take(now)
	if old := r.by[source]; old != nil {
		one.more = old.more + 1
	} else if len(r.by) < refusalRows {
		first = true
	} else {
		source, one.remote, one.more = "", "", 1
		if old := r.by[""]; old != nil {
			one.more = old.more + 1
		}
	}
	r.by[source] = &one
	return first, over
}

// take gives the rows of the minute that is over, if it is.
func (r *refusals) take(now time.Time) (rows []store.AuditEntry) {
	minute := now.Truncate(time.Minute)
	if minute.Equal(r.minute) {
		return nil
	}
	for source, x := range r.by {
		if x.more == 0 {
			continue
		}
		detail := fmt.Sprintf("%d more within the minute, the last: %s", x.more, x.why)
		if source == "" {
			detail = fmt.Sprintf("%d from other addresses within the minute, the last: %s", x.more, x.why)
		}
		rows = append(rows, store.AuditEntry{At: r.minute.Add(time.Minute), User: x.name, Action: store.Refusal, Detail: detail, Remote: x.remote})
	}
	r.minute, r.by = minute, map[string]*refusal{}
	return rows
}

// refused notes a refused sign-in. The name is cut: it is what somebody typed, perhaps a password in the wrong field.
func (a *Auth) refused(ctx context.Context, name, why, remote string) error {
	one := refusal{name: name[:min(len(name), maxName)], why: why, remote: remote}
	first, over := a.refusals.note(addrKey(remote), one, a.now())
	ctx = context.WithoutCancel(ctx) // who hangs up is noted all the same
	err := a.write(ctx, over)
	if first {
		err = errors.Join(err, a.audit(ctx, one.name, store.Refusal, "", why, remote))
	}
	return err
}

// Flush writes what is counted of refused sign-ins, once their minute is over. Call it every minute or so.
func (a *Auth) Flush(ctx context.Context) error {
	a.refusals.mu.Lock()
	over := a.refusals.take(a.now())
	a.refusals.mu.Unlock()
	return a.write(ctx, over)
}

func (a *Auth) write(ctx context.Context, rows []store.AuditEntry) error {
	var errs []error
	for _, e := range rows {
		errs = append(errs, a.store.AddAudit(context.WithoutCancel(ctx), e))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("audit of refusals: %w", err)
	}
	return nil
}
