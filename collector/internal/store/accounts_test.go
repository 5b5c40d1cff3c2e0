// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestUsers(t *testing.T) {
	s, ctx := open(t), context.Background()
	u, err := s.AddUser(ctx, User{Name: "Anna", Role: "admin", PasswordHash: "h"})
	if err != nil || u.ID == 0 {
		t.Fatal(u, err)
	}
	if _, err := s.AddUser(ctx, User{Name: "anna", Role: "viewer"}); !errors.Is(err, ErrExists) {
		t.Errorf("the same name: %v", err)
	}
	u.Role, u.Disabled = "viewer", true
	if err := s.UpdateUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if got, err := s.UserByName(ctx, "ANNA"); err != nil || got.Role != "viewer" || !got.Disabled || got.PasswordHash != "h" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.User(ctx, 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if err := s.UpdateUser(ctx, User{ID: 99}); !errors.Is(err, ErrNotFound) {
		t.Errorf("update of nobody: %v", err)
	}
}

func TestSessionsTokensAndLinks(t *testing.T) {
	s, ctx := open(t), context.Background()
	now := time.Unix(1_780_000_000, 0).UTC()
	u, _ := s.AddUser(ctx, User{Name: "anna", Role: "admin"})
	session := Session{Hash: []byte("s"), User: u.ID, CSRF: "c", Created: now, LastSeen: now, Expires: now.Add(time.Hour)}
	if err := s.AddSession(ctx, session); err != nil {
		t.Fatal(err)
	}
	if got, err := s.SessionByHash(ctx, []byte("s")); err != nil || got.CSRF != "c" || !got.Expires.Equal(session.Expires) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.DeleteExpired(ctx, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SessionByHash(ctx, []byte("s")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an expired session: %v", err)
	}
	tok, err := s.AddToken(ctx, Token{Name: "siem", Role: "viewer", Hash: []byte("t")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.TokenByHash(ctx, []byte("t")); err != nil || got.ID != tok.ID || !got.Expires.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, l := range []Link{{[]byte("l"), u.ID, now.Add(time.Minute)}, {[]byte("old"), u.ID, now}} {
		if err := s.AddLink(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := s.TakeLink(ctx, []byte("l"), now); err != nil || l.User != u.ID {
		t.Errorf("%+v, %v", l, err)
	}
	for _, hash := range []string{"l", "old", "none"} {
		if _, err := s.TakeLink(ctx, []byte(hash), now); !errors.Is(err, ErrNotFound) {
			t.Errorf("link %s: %v", hash, err)
		}
	}
}

func TestAuditPaging(t *testing.T) {
	s, ctx := open(t), context.Background()
	for range 5 {
		if err := s.AddAudit(ctx, AuditEntry{User: "anna", Action: "sign_in"}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := s.Audit(ctx, Page{Limit: 3})
	if err != nil || len(a.Entries) != 3 || a.Entries[0].ID != 5 {
		t.Fatalf("%+v, %v", a, err)
	}
	b, err := s.Audit(ctx, Page{Limit: 3, Cursor: a.Next})
	if err != nil || len(b.Entries) != 2 || b.Next != "" {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestTrimAudit checks that rejected sign-ins do not push out actions of users.
func TestTrimAudit(t *testing.T) {
	s, ctx := open(t), context.Background()
	for i := range 30 {
		action := SignInRejected
		if i%3 == 0 {
			action = "sign_in"
		}
		if err := s.AddAudit(ctx, AuditEntry{User: "anna", Action: action}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.trimAudit(ctx, 8, 5); err != nil {
		t.Fatal(err)
	}
	a, err := s.Audit(ctx, Page{Limit: 100})
	if err != nil || len(a.Entries) != 13 || a.Entries[0].ID != 30 || a.Entries[12].ID != 7 {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.TrimAudit(ctx); err != nil {
		t.Error(err)
	}
}
