// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/collector/internal/store"
)

var cheap = Cost{MemoryKiB: 64, Passes: 1, Threads: 1}

const password = "correct horse battery"

// rig is an Auth with an empty database and a clock that the test controls.
type rig struct {
	*Auth
	store *store.SQLite
	clock time.Time
}

func newRig(t *testing.T, secure bool) *rig {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := &rig{store: s, clock: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
	r.Auth = New(Config{Store: s, Secure: secure, Cost: cheap, Now: func() time.Time { return r.clock }})
	if _, err := r.AddUser(t.Context(), "test", "ann", password, Analyst); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) signIn(t *testing.T) Grant {
	t.Helper()
	g, err := r.SignIn(t.Context(), "ann", password, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (r *rig) with(g Grant) *http.Request {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.AddCookie(g.Cookie)
	return req
}

func TestPasswordHash(t *testing.T) {
	h, ctx := newHasher(cheap), context.Background()
	one, err := h.hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := h.hash(ctx, password)
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(one, password) {
		t.Errorf("hashes %q and %q", one, two)
	}
	// Hashes with other cost parameters are accepted: the defaults may change.
	if ok, err := newHasher(Cost{}).matches(ctx, one, password); !ok || err != nil {
		t.Errorf("right password: %v, %v", ok, err)
	}
	for _, wrong := range []string{"", "Correct horse battery", password + " ", password[:20]} {
		if ok, err := h.matches(ctx, one, wrong); ok || err != nil {
			t.Errorf("%q: %v, %v", wrong, ok, err)
		}
	}
	good := strings.Split(one, "$")
	for _, bad := range []string{
		"", "x", "$2a$10$abc", strings.Replace(one, "argon2id", "argon2i", 1), strings.Replace(one, "v=19", "v=18", 1),
		strings.Replace(one, "m=64", "m=4294967295", 1), strings.Replace(one, "t=1", "t=0", 1), strings.Replace(one, "p=1", "p=255", 1),
		"$argon2id$v=19$m=64,t=1,p=1$$" + good[5], "$argon2id$v=19$m=64,t=1,p=1$" + good[4] + "$", one + "$",
	} {
		if ok, err := h.matches(ctx, bad, password); ok || err == nil {
			t.Errorf("hash %q is accepted: %v", bad, ok)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	h.busy <- struct{}{}
	h.busy <- struct{}{}
	if _, err := h.hash(ended, password); !errors.Is(err, context.Canceled) {
		t.Errorf("a waiting hash is not canceled: %v", err)
	}
}

func TestAddUser(t *testing.T) {
	r := newRig(t, false)
	for _, tc := range []struct {
		name, pass string
		role       Role
		want       error
	}{
		{"bob", password, Viewer, nil}, {"link-only", "", Viewer, nil}, {"ANN", password, Viewer, store.ErrExists}, {"", password, Viewer, ErrInput},
		{"a b", password, Viewer, ErrInput}, {"<b>", password, Viewer, ErrInput}, {"x\u202e", password, Viewer, ErrInput}, {strings.Repeat("a", 65), password, Viewer, ErrInput},
		{"short", "elevenchars", Viewer, ErrInput}, {"longer", strings.Repeat("x", MaxPassword+1), Viewer, ErrInput}, {"role", password, "root", ErrInput}, {"pub", password, Public, ErrInput},
	} {
		if _, err := r.AddUser(t.Context(), "test", tc.name, tc.pass, tc.role); !errors.Is(err, tc.want) {
			t.Errorf("%q: %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := r.SignIn(t.Context(), "link-only", "", "192.0.2.1"); !errors.Is(err, ErrDenied) {
		t.Errorf("a user without a password signs in: %v", err)
	}
}

func TestSession(t *testing.T) {
	r := newRig(t, false)
	g := r.signIn(t)
	if c := g.Cookie; c.Name != "stillwatch" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
	id, err := r.Identify(r.with(g))
	if err != nil || id.Name != "ann" || id.Role != Analyst || id.Token || id.CSRF == "" || id.CSRF == g.Cookie.Value {
		t.Fatalf("identity %+v, %v", id, err)
	}
	s, err := r.store.SessionByHash(t.Context(), hashOf(g.Cookie.Value))
	if err != nil || bytes.Contains(s.Hash, []byte(g.Cookie.Value)) {
		t.Errorf("session %v, %v", s, err)
	}
	if again := r.signIn(t); again.Cookie.Value == g.Cookie.Value || again.Identity.CSRF == id.CSRF {
		t.Error("two sessions share a secret")
	}
	if _, err := r.SignOut(t.Context(), id, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Identify(r.with(g)); !errors.Is(err, ErrDenied) {
		t.Errorf("after the sign-out: %v", err)
	}
}

func TestSessionEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*testing.T, *rig, Grant)
		want error
	}{
		{"in use", func(_ *testing.T, r *rig, g Grant) {
			for range 20 {
				r.clock = r.clock.Add(sessionIdle - time.Minute)
				if r.clock.Before(time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC)) {
					r.Identify(r.with(g))
				}
			}
			r.clock = time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC)
		}, nil},
		{"idle", func(_ *testing.T, r *rig, _ Grant) { r.clock = r.clock.Add(sessionIdle) }, ErrDenied},
		{"only automatic requests", func(_ *testing.T, r *rig, g Grant) {
			for range 3 {
				r.clock = r.clock.Add(sessionIdle / 3)
				req := r.with(g)
				req.Header.Set(QuietHeader, "1")
				r.Identify(req)
			}
		}, ErrDenied},
		{"too old", func(_ *testing.T, r *rig, g Grant) {
			for end := r.clock.Add(sessionLife); r.clock.Before(end); r.clock = r.clock.Add(time.Hour) {
				r.Identify(r.with(g))
			}
		}, ErrDenied},
		{"disabled", func(t *testing.T, r *rig, _ Grant) {
			u, err := r.store.UserByName(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			u.Disabled = true
			if err := r.store.UpdateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}, ErrDenied},
		{"new password", func(t *testing.T, r *rig, _ Grant) {
			if err := r.SetPassword(t.Context(), "test", "ann", "another password"); err != nil {
				t.Fatal(err)
			}
		}, ErrDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, false)
			g := r.signIn(t)
			tc.do(t, r, g)
			if _, err := r.Identify(r.with(g)); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestSecureCookie(t *testing.T) {
	r := newRig(t, true)
	if c := r.signIn(t).Cookie; c.Name != "__Host-stillwatch" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t, false)
	ask := func(token string) (Identity, error) {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		return r.Identify(req)
	}
	token, row, err := r.NewToken(t.Context(), "test", 0, "siem", Viewer, r.clock.Add(time.Hour))
	if err != nil || !strings.HasPrefix(token, "swt_") || strings.Contains(string(row.Hash), token) {
		t.Fatalf("%q, %v", token, err)
	}
	if id, err := ask(token); err != nil || id.Name != "token:siem" || id.Role != Viewer || !id.Token {
		t.Errorf("identity %+v, %v", id, err)
	}
	for _, wrong := range []string{"", "swt_", token[:len(token)-1], token + "x", strings.ToUpper(token), strings.TrimPrefix(token, "swt_")} {
		if _, err := ask(wrong); !errors.Is(err, ErrDenied) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
	r.clock = r.clock.Add(time.Hour)
	if _, err := ask(token); !errors.Is(err, ErrDenied) {
		t.Errorf("expired token: %v", err)
	}
	forever, row, err := r.NewToken(t.Context(), "test", 0, "forever", Viewer, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.RevokeToken(t.Context(), "test", row.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(forever); !errors.Is(err, ErrDenied) {
		t.Errorf("revoked token: %v", err)
	}
	if _, _, err := r.NewTokenFor(t.Context(), Identity{Name: "ann", Role: Analyst}, "up", Admin, 0); !errors.Is(err, ErrDenied) {
		t.Errorf("an analyst creates an admin's token: %v", err)
	}
}

func TestLinks(t *testing.T) {
	r := newRig(t, false)
	code, err := r.NewLink(t.Context(), "test", "ann", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := r.SignInLink(t.Context(), code, "192.0.2.1"); err != nil || g.Identity.Name != "ann" {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := r.SignInLink(t.Context(), code, "192.0.2.1"); !errors.Is(err, ErrDenied) {
		t.Errorf("used twice: %v", err)
	}
	late, err := r.NewLink(t.Context(), "test", "ann", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r.clock = r.clock.Add(time.Minute)
	if _, err := r.SignInLink(t.Context(), late, "192.0.2.1"); !errors.Is(err, ErrDenied) {
		t.Errorf("too late: %v", err)
	}
	if _, err := r.NewLink(t.Context(), "test", "nobody", time.Minute); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("for nobody: %v", err)
	}
}

// TestAudit checks the audit entries of sign-ins and sign-outs. They contain no secrets.
func TestAudit(t *testing.T) {
	r := newRig(t, false)
	g := r.signIn(t)
	r.SignIn(t.Context(), "ann", "wrong password", "192.0.2.9")
	r.SignIn(t.Context(), strings.Repeat("n", 500), "wrong password", "192.0.2.9")
	if _, err := r.SignOut(t.Context(), g.Identity, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	l, err := r.store.Audit(t.Context(), store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range l.Entries {
		if len(e.User) > maxName || strings.Contains(e.Detail+e.Target, "wrong password!") {
			t.Errorf("entry %+v", e)
		}
		got = append(got, e.Action)
	}
	if want := "sign_out sign_in_refused sign_in user_add"; strings.Join(got, " ") != want {
		t.Errorf("actions %q, want %q", got, want)
	}
}

// broken is a store whose queries fail.
type broken struct{ store.Accounts }

func (broken) SessionByHash(context.Context, []byte) (store.Session, error) {
	return store.Session{}, store.ErrRetry
}

// TestDatabaseDown checks that requests get 503 if the database fails, not 401.
func TestDatabaseDown(t *testing.T) {
	a := New(Config{Store: broken{}, Cost: cheap})
	status := 0
	m := NewMux(a, func(_ http.ResponseWriter, _ *http.Request, s int, _ string) { status = s })
	m.Handle("GET /", Viewer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was allowed") }))
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.AddCookie(&http.Cookie{Name: a.CookieName(), Value: "x"})
	m.ServeHTTP(httptest.NewRecorder(), req)
	if status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
}

// TestRouteNeedsRole checks that a route without a role cannot be added.
func TestRouteNeedsRole(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a route without a role was added")
		}
	}()
	NewMux(New(Config{Store: broken{}, Cost: cheap}), nil).Handle("GET /", "", http.NotFoundHandler())
}

func TestRoles(t *testing.T) {
	all := append(Roles(), Public, "", "root")
	want := map[[2]Role]bool{
		{Viewer, Viewer}: true, {Analyst, Viewer}: true, {Analyst, Analyst}: true, {Admin, Viewer}: true, {Admin, Analyst}: true, {Admin, Admin}: true,
	}
	for _, who := range all {
		for _, needs := range all {
			if got := who.Allows(needs); got != want[[2]Role{who, needs}] {
				t.Errorf("%q allows %q: %v", who, needs, got)
			}
		}
	}
	for _, s := range []string{"", "root", "public", "Admin"} {
		if _, err := ParseRole(s); err == nil {
			t.Errorf("role %q is accepted", s)
		}
	}
}
