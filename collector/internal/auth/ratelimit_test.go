// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"stillwatch/collector/internal/store"
)

// TestRateLimitBackoff checks that the delay doubles with each failure, and that the right password works only after the delay.
func TestRateLimitBackoff(t *testing.T) {
	r := newRig(t, false)
	ctx := t.Context()
	var waits []time.Duration
	for range 9 {
		_, err := r.SignIn(ctx, "ann", "wrong password", "192.0.2.1")
		var soon *RateLimitError
		if errors.As(err, &soon) {
			waits = append(waits, soon.After)
			if _, err := r.SignIn(ctx, "ann", password, "192.0.2.1"); !errors.As(err, &soon) {
				t.Fatalf("the right password during the wait: %v", err)
			}
			r.clock = r.clock.Add(soon.After)
			_, err = r.SignIn(ctx, "ann", "wrong password", "192.0.2.1")
		}
		if !errors.Is(err, ErrDenied) {
			t.Fatalf("wrong password: %v", err)
		}
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 4s 8s 16s 30s]" {
		t.Errorf("waits %s", got)
	}
	r.clock = r.clock.Add(30 * time.Second)
	if _, err := r.SignIn(ctx, "ann", password, "192.0.2.1"); err != nil {
		t.Errorf("the right password after the wait: %v", err)
	}
}

// TestRateLimitPerSource checks that a source that tries many names is limited, and others are not.
func TestRateLimitPerSource(t *testing.T) {
	r := newRig(t, false)
	blocked := 0
	for i := range 30 {
		_, err := r.SignIn(t.Context(), fmt.Sprintf("user-%d", i), "wrong password", fmt.Sprintf("2001:db8::%x", i))
		var soon *RateLimitError
		if errors.As(err, &soon) {
			blocked++
		}
	}
	if blocked != 20 {
		t.Errorf("%d of 30 were limited, want 20", blocked)
	}
	if _, err := r.SignIn(t.Context(), "ann", password, "192.0.2.1"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

// TestRateLimitConcurrent checks that concurrent attempts are counted before their passwords are checked.
func TestRateLimitConcurrent(t *testing.T) {
	l, now := newLimiter(), time.Unix(1e9, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 50 {
		wg.Go(func() {
			if l.begin("ann", "192.0.2.1", false, now) == nil {
				mu.Lock()
				allowed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if allowed != pairLimit.Free {
		t.Errorf("%d of 50 were allowed, want %d", allowed, pairLimit.Free)
	}
}

// TestRateLimitTableIsBounded checks that the table does not grow beyond its limit.
func TestRateLimitTableIsBounded(t *testing.T) {
	l, now := newLimiter(), time.Unix(1e9, 0)
	for i := range maxTracked + 500 {
		now = now.Add(time.Millisecond)
		_ = l.begin(strings.Repeat("x", 200)[:i%100]+fmt.Sprint(i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), false, now)
	}
	if n := len(l.by); n > maxTracked+1 {
		t.Errorf("%d entries", n)
	}
	for i := 0; len(l.by) < maxTracked; i++ {
		_ = l.begin(fmt.Sprint("fill-", i), "192.0.2.9", false, now)
	}
	_ = l.begin("late", "192.0.2.1", false, now.Add(2*expireAfter))
	if n := len(l.by); n > 10 {
		t.Errorf("%d entries after a long time, in a table that was full", n)
	}
}

// TestAttackerCannotLockOutOwner checks that failures from one source do not limit the owner of the name elsewhere. Failures from very
// many sources do, but not at sources from which the owner has signed in before.
func TestAttackerCannotLockOutOwner(t *testing.T) {
	r := newRig(t, false)
	ctx := t.Context()
	if _, err := r.SignIn(ctx, "ann", password, "2001:db8:1:2::7"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		_, _ = r.SignIn(ctx, "ann", "wrong password", "198.51.100.1")
	}
	if _, err := r.SignIn(ctx, "ANN", password, "192.0.2.77"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	for i := range 100 {
		_, _ = r.SignIn(ctx, "ann", "wrong password", fmt.Sprintf("203.0.113.%d", i))
	}
	var soon *RateLimitError
	if _, err := r.SignIn(ctx, "ann", password, "192.0.2.99"); !errors.As(err, &soon) || soon.After > 30*time.Second {
		t.Errorf("from a new source, during a distributed attack: %v", err)
	}
	for _, source := range []string{"192.0.2.77", "2001:db8:1:2::8"} {
		if _, err := r.SignIn(ctx, "ann", password, source); err != nil {
			t.Errorf("from a known source, %s: %v", source, err)
		}
	}
}

// TestRejectedSignInsAreGrouped checks that many rejected sign-ins write few audit entries, with their count.
func TestRejectedSignInsAreGrouped(t *testing.T) {
	r := newRig(t, false)
	ctx := t.Context()
	for range 500 {
		_, _ = r.SignInLink(ctx, "no link", "192.0.2.1")
	}
	for i := range 100 {
		_, _ = r.SignIn(ctx, fmt.Sprint("user-", i), "wrong password", fmt.Sprintf("10.0.0.%d", i))
	}
	r.clock = r.clock.Add(time.Minute)
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := r.store.Audit(ctx, store.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range l.Entries {
		if e.Action == store.SignInRejected {
			found[e.Detail]++
		}
	}
	more, others := "499 more within a minute, last: unknown or used link", "71 from other addresses within a minute, last: wrong name or password"
	if len(l.Entries) > 2*maxRejectedRows+3 || found[more] != 1 || found[others] != 1 {
		t.Errorf("%d rows: %v", len(l.Entries), found)
	}
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if again, _ := r.store.Audit(ctx, store.Page{Limit: 1000}); len(again.Entries) != len(l.Entries) {
		t.Error("written twice")
	}
}
