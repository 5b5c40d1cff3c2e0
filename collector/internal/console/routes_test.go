// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/collector/internal/auth"
)

// public lists the routes that need no sign-in.
var public = []string{"GET /assets/{name}", "GET /signin", "POST /signin", "GET /signin/link", "POST /signin/link", "GET /healthz"}

func TestPublicRoutes(t *testing.T) {
	var got []string
	for _, r := range newFixture(t).con.Routes() {
		if r.Access == auth.Public {
			got = append(got, r.Pattern)
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(public))
	if !slices.Equal(got, want) {
		t.Errorf("public are %q, want %q", got, want)
	}
}

// request is a request to a route.
type request struct {
	b      *fixture
	method string
	path   string
}

func requestTo(b *fixture, pattern string) request {
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.ReplaceAll(path, "{$}", "")
	for _, name := range []string{"{id}", "{key}", "{name}", "{sha256}"} {
		path = strings.ReplaceAll(path, name, "1")
	}
	return request{b, method, path}
}

// try sends the request and returns status and headers. It does not follow redirects.
func (k request) try(t *testing.T, jar http.CookieJar, form url.Values, headers ...string) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), k.method, k.b.srv.URL+k.path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", k.method, k.path, err)
	}
	r.Body.Close()
	return r.StatusCode, r.Header
}

// unauthenticated reports whether a response is that for an unauthenticated client.
func (k request) unauthenticated(status int, h http.Header) bool {
	if strings.HasPrefix(k.path, "/api/") {
		return status == http.StatusUnauthorized && h.Get("Content-Type") == "application/problem+json"
	}
	if k.method == http.MethodGet {
		return status == http.StatusSeeOther && strings.HasPrefix(h.Get("Location"), "/signin?next=")
	}
	return status == http.StatusUnauthorized
}

// TestRoutesDeny checks that every route rejects missing, wrong and expired credentials and insufficient roles, and that every route that
// changes state rejects wrong CSRF tokens and cross-origin requests.
func TestRoutesDeny(t *testing.T) {
	b := newFixture(t)
	jars, tokens := map[auth.Role]http.CookieJar{}, map[auth.Role]string{}
	for _, r := range auth.Roles() {
		jars[r] = b.as(t, r).Jar
		secret, _, err := b.auth.NewToken(context.Background(), "test", 0, string(r), r, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[r] = secret
	}
	ended, _, err := b.auth.NewToken(context.Background(), "test", 0, "ended", auth.Admin, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	routes := b.con.Routes()
	if len(routes) < 30 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, r := range routes {
		if r.Access == auth.Public {
			continue
		}
		t.Run(r.Pattern, func(t *testing.T) {
			k := requestTo(b, r.Pattern)
			invalid := map[string][]string{
				"nobody": nil, "wrong cookie": {"Cookie", b.auth.CookieName() + "=wrong"}, "empty cookie": {"Cookie", b.auth.CookieName() + "="},
				"wrong token": {"Authorization", "Bearer swt_wrong"}, "no token": {"Authorization", "Bearer "}, "ended token": {"Authorization", "Bearer " + ended},
				"password as token": {"Authorization", "Bearer " + password}, "basic": {"Authorization", "Basic YWRtaW46YWRtaW4="},
			}
			for name, headers := range invalid {
				if status, h := k.try(t, nil, nil, headers...); !k.unauthenticated(status, h) {
					t.Errorf("%s: status %d, %s", name, status, h.Get("Location"))
				}
			}
			for _, role := range auth.Roles() {
				if role.Allows(r.Access) {
					continue
				}
				if status, _ := k.try(t, jars[role], nil); status != http.StatusForbidden {
					t.Errorf("%s by cookie: status %d", role, status)
				}
				if status, _ := k.try(t, nil, nil, "Authorization", "Bearer "+tokens[role]); status != http.StatusForbidden {
					t.Errorf("%s by token: status %d", role, status)
				}
			}
			if k.method == http.MethodGet {
				return
			}
			for name, form := range map[string]url.Values{"no CSRF token": {}, "wrong CSRF token": {"csrf": {"wrong"}}, "empty CSRF token": {"csrf": {""}}} {
				if status, _ := k.try(t, jars[auth.Admin], form); status != http.StatusForbidden {
					t.Errorf("%s: status %d", name, status)
				}
			}
			right := csrfOf(t, b, jars[auth.Admin])
			if status, _ := k.try(t, jars[auth.Admin], url.Values{"csrf": {right}}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
				t.Errorf("from another site: status %d", status)
			}
			if status, _ := k.try(t, jars[auth.Admin], url.Values{"csrf": {right}}, "Origin", "https://evil.example"); status != http.StatusForbidden {
				t.Errorf("of another origin: status %d", status)
			}
		})
	}
}

// csrfOf returns the CSRF token of a session from its page.
func csrfOf(t *testing.T, b *fixture, jar http.CookieJar) string {
	t.Helper()
	_, after, ok := strings.Cut(b.get(t, &http.Client{Jar: jar}, "/"), `name="csrf" value="`)
	token, _, end := strings.Cut(after, `"`)
	if !ok || !end || token == "" {
		t.Fatal("no CSRF token in the page")
	}
	return token
}

// TestRoutesAllow checks that every GET route allows the role that it requires.
func TestRoutesAllow(t *testing.T) {
	b := newFixture(t)
	for _, r := range b.con.Routes() {
		if r.Access == auth.Public || !strings.HasPrefix(r.Pattern, "GET ") || strings.HasSuffix(r.Pattern, "/events") {
			continue
		}
		c := b.as(t, r.Access)
		if status, _ := requestTo(b, r.Pattern).try(t, c.Jar, nil); status != http.StatusOK && status != http.StatusNotFound && status != http.StatusSeeOther {
			t.Errorf("%s as %s: status %d", r.Pattern, r.Access, status)
		}
	}
}

// TestUnknownPath checks that only signed-in users learn that a path does not exist.
func TestUnknownPath(t *testing.T) {
	b := newFixture(t)
	for _, pattern := range []string{"GET /nothing", "GET /api/v1/nothing", "POST /alerts", "DELETE /", "GET /api", "PUT /api/v1/alerts", "GET /debug/pprof/"} {
		k := requestTo(b, pattern)
		if status, h := k.try(t, nil, nil); !k.unauthenticated(status, h) {
			t.Errorf("%s: status %d", pattern, status)
		}
	}
	if status, _ := requestTo(b, "GET /nothing").try(t, b.as(t, auth.Viewer).Jar, nil); status != http.StatusNotFound {
		t.Errorf("signed in: status %d", status)
	}
}

// TestSecurityHeaders checks the security headers of all kinds of responses.
func TestSecurityHeaders(t *testing.T) {
	b := newFixture(t)
	c := b.as(t, auth.Viewer)
	for _, pattern := range []string{"GET /", "GET /signin", "GET /nothing", "GET /api/v1/alerts", "GET /assets/console.js", "GET /alerts/none"} {
		_, h := requestTo(b, pattern).try(t, c.Jar, nil)
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", pattern, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", pattern, h)
		}
	}
}

// TestSignInPages checks the sign-in pages with wrong passwords, redirects and a link.
func TestSignInPages(t *testing.T) {
	b := newFixture(t)
	post := requestTo(b, "POST /signin")
	in := func(name, pass, next string, headers ...string) (int, http.Header) {
		return post.try(t, nil, url.Values{"name": {name}, "password": {pass}, "next": {next}}, headers...)
	}
	for _, tc := range []struct{ next, want string }{
		{"", "/"}, {"/alerts?q=x", "/alerts?q=x"}, {"//evil.example", "/"}, {`/\evil.example`, "/"}, {"https://evil.example/", "/"},
		{"javascript:alert(1)", "/"}, {"/signout", "/"}, {"/\t/evil.example", "/"}, {"evil", "/"},
	} {
		if status, h := in("viewer", password, tc.next); status != http.StatusSeeOther || h.Get("Location") != tc.want {
			t.Errorf("next %q: %d %q, want %q", tc.next, status, h.Get("Location"), tc.want)
		}
	}
	if status, h := in("viewer", password, "/", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden || h.Get("Set-Cookie") != "" {
		t.Errorf("sign-in from another site: %d", status)
	}
	var last int
	for range 4 {
		last, _ = in("analyst", "wrong password", "/")
	}
	if status, h := in("analyst", password, "/"); last != http.StatusTooManyRequests || status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("after failed attempts: %d, then with the right password %d", last, status)
	}
	code, err := b.auth.NewLink(t.Context(), "test", "admin", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := requestTo(b, "GET /signin/link?code="+code).try(t, nil, nil); status != http.StatusOK {
		t.Errorf("link page: %d", status)
	}
	link := requestTo(b, "POST /signin/link")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := link.try(t, jar, url.Values{"code": {code}}); status != http.StatusSeeOther {
		t.Errorf("link: %d", status)
	}
	if status, _ := link.try(t, nil, url.Values{"code": {code}}); status != http.StatusUnauthorized {
		t.Errorf("link again: %d", status)
	}
	csrf := csrfOf(t, b, jar)
	if status, h := requestTo(b, "POST /signout").try(t, jar, url.Values{"csrf": {csrf}}); status != http.StatusSeeOther || h.Get("Location") != "/signin" {
		t.Errorf("sign-out: %d", status)
	}
	if status, _ := requestTo(b, "GET /").try(t, jar, nil); status != http.StatusSeeOther {
		t.Errorf("after the sign-out: %d", status)
	}
}

// TestAdminTokens checks that an admin can create and revoke a token on the page.
func TestAdminTokens(t *testing.T) {
	b := newFixture(t)
	c := b.as(t, auth.Admin)
	csrf := csrfOf(t, b, c.Jar)
	make := requestTo(b, "POST /admin/tokens")
	form := url.Values{"csrf": {csrf}, "name": {"siem"}, "role": {"viewer"}, "days": {"30"}}
	if status, _ := make.try(t, c.Jar, form); status != http.StatusOK {
		t.Fatalf("make: %d", status)
	}
	if status, _ := make.try(t, c.Jar, form); status != http.StatusConflict {
		t.Errorf("the same name again: %d", status)
	}
	for name, bad := range map[string]url.Values{
		"role": {"csrf": {csrf}, "name": {"x"}, "role": {"root"}, "days": {"1"}}, "name": {"csrf": {csrf}, "name": {"<b>"}, "role": {"viewer"}, "days": {"1"}},
		"days": {"csrf": {csrf}, "name": {"x"}, "role": {"viewer"}, "days": {"-1"}},
	} {
		if status, _ := make.try(t, c.Jar, bad); status != http.StatusUnprocessableEntity {
			t.Errorf("wrong %s: %d", name, status)
		}
	}
	tokens, err := b.store.Tokens(t.Context())
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	page := b.get(t, c, "/admin")
	if !strings.Contains(page, "siem") || strings.Contains(page, "swt_") || strings.Contains(page, "argon2id") {
		t.Error("the page lacks the token's name, or shows a secret")
	}
	if status, _ := requestTo(b, "POST /admin/tokens/1/revoke").try(t, c.Jar, url.Values{"csrf": {csrf}}); status != http.StatusSeeOther {
		t.Errorf("revoke: %d", status)
	}
	if tokens, _ := b.store.Tokens(t.Context()); len(tokens) != 0 {
		t.Error("the token is still there")
	}
}
