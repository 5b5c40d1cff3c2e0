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

// maxRejectedRows is how many sources get audit entries of their own within a minute; all others share one entry.
const maxRejectedRows = 30

// rejections groups rejected sign-ins, so that attackers cannot fill the disk: the first of a source in a minute gets an audit entry
// at once, all others of that minute share one entry with their count when the minute is over.
type rejections struct {
	mu     sync.Mutex
	minute time.Time
	by     map[string]*rejection // by source; "" for those beyond maxRejectedRows
}

type rejection struct {
	more              int // after the first
	name, why, remote string
}

// add counts one rejection. first means that it must be written now; over are the grouped entries of the previous minute.
func (r *rejections) add(source string, one rejection, now time.Time) (first bool, over []store.AuditEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	over = r.take(now)
	if old := r.by[source]; old != nil {
		one.more = old.more + 1
	} else if len(r.by) < maxRejectedRows {
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

// take returns the grouped entries of the minute if it is over.
func (r *rejections) take(now time.Time) (rows []store.AuditEntry) {
	minute := now.Truncate(time.Minute)
	if minute.Equal(r.minute) {
		return nil
	}
	for source, x := range r.by {
		if x.more == 0 {
			continue
		}
		detail := fmt.Sprintf("%d more within a minute, last: %s", x.more, x.why)
		if source == "" {
			detail = fmt.Sprintf("%d from other addresses within a minute, last: %s", x.more, x.why)
		}
		rows = append(rows, store.AuditEntry{At: r.minute.Add(time.Minute), User: x.name, Action: store.SignInRejected, Detail: detail, Remote: x.remote})
	}
	r.minute, r.by = minute, map[string]*rejection{}
	return rows
}

// reject records a rejected sign-in. The name is truncated, because it is unverified input.
func (a *Auth) reject(ctx context.Context, name, why, remote string) error {
	one := rejection{name: name[:min(len(name), maxName)], why: why, remote: remote}
	first, over := a.rejected.add(sourceKey(remote), one, a.now())
	ctx = context.WithoutCancel(ctx) // record it even if the client disconnects
	err := a.write(ctx, over)
	if first {
		err = errors.Join(err, a.audit(ctx, one.name, store.SignInRejected, "", why, remote))
	}
	return err
}

// Flush writes the grouped entries of rejected sign-ins once their minute is over. Call it about every minute.
func (a *Auth) Flush(ctx context.Context) error {
	a.rejected.mu.Lock()
	over := a.rejected.take(a.now())
	a.rejected.mu.Unlock()
	return a.write(ctx, over)
}

func (a *Auth) write(ctx context.Context, rows []store.AuditEntry) error {
	var errs []error
	for _, e := range rows {
		errs = append(errs, a.store.AddAudit(context.WithoutCancel(ctx), e))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("audit of rejected sign-ins: %w", err)
	}
	return nil
}
