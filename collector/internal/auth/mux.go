// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// Public is the access of a route that needs no sign-in: health, the sign-in page and its assets.
const Public Role = "public"

// Names of what a request carries.
const (
	CSRFField  = "csrf"         // form field
	CSRFHeader = "X-CSRF-Token" // or header
	// QuietHeader marks requests that a page makes by itself: they do not keep a session alive.
	QuietHeader = "X-Stillwatch-Quiet"
)

// maxForm bounds the body of a request that changes something.
const maxForm = 64 << 10

// Route is a pattern (as of http.ServeMux) and who may use it.
type Route struct {
	Pattern string
	Access  Role
}

// Refuse answers a request that is not let in. status is 401, 403 or 503.
type Refuse func(w http.ResponseWriter, r *http.Request, status int, why string)

// Mux routes requests. No route can be added without saying who may use it, and what has no route is only told to those
// who are signed in.
type Mux struct {
	auth   *Auth
	mux    *http.ServeMux
	routes []Route
	refuse Refuse
	origin *http.CrossOriginProtection
}

// NewMux gives a Mux that answers what it does not let in by refuse.
func NewMux(a *Auth, refuse Refuse) *Mux {
	return &Mux{auth: a, mux: http.NewServeMux(), refuse: refuse, origin: http.NewCrossOriginProtection()}
}

// Handle adds a route.
func (m *Mux) Handle(pattern string, who Role, h http.Handler) {
	if who != Public && who.rank() == 0 {
		panic("auth: route " + pattern + " has no access") // a fault of the program, at its start
	}
	m.routes = append(m.routes, Route{Pattern: pattern, Access: who})
	m.mux.Handle(pattern, m.guard(who, h))
}

// Routes lists the routes in the order in which they were added.
func (m *Mux) Routes() []Route { return append([]Route(nil), m.routes...) }

// ServeHTTP sets the headers that every answer has, and passes on.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.headers(w)
	h, pattern := m.mux.Handler(r)
	if pattern == "" {
		m.guard(Viewer, h).ServeHTTP(w, r)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// contentPolicy lets a page load what this server serves and nothing else: no inline script or style, no frame, and HTML
// made from text by the script only through the policy that it names.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types stillwatch"

func (m *Mux) headers(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if m.auth.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

func (m *Mux) guard(who Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		_, bearer := bearerToken(r)
		// A page of another origin cannot send a token of ours, so only requests without one are held to their origin.
		if !bearer && m.origin.Check(r) != nil {
			m.refuse(w, r, http.StatusForbidden, "the request comes from another site")
			return
		}
		id, err := m.auth.Identify(r)
		switch {
		case who == Public:
		case errors.Is(err, ErrNobody), errors.Is(err, ErrRefused):
			m.refuse(w, r, http.StatusUnauthorized, "sign in first")
			return
		case err != nil:
			m.auth.log.Warn("cannot tell who asks", zap.Error(err))
			m.refuse(w, r, http.StatusServiceUnavailable, "the database does not answer")
			return
		case !id.Role.Allows(who):
			m.refuse(w, r, http.StatusForbidden, "this needs the role "+string(who))
			return
		case !id.Token && !safe(r.Method) && !sameCSRF(r, id.CSRF):
			m.refuse(w, r, http.StatusForbidden, "the CSRF token is missing or wrong: reload the page and try again")
			return
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
	})
}

type identityKey struct{}

// From gives who makes the request of ctx; its name is empty when nobody is signed in.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}

// Identify tells who makes a request. Errors: ErrNobody, ErrRefused, or one of the store.
func (a *Auth) Identify(r *http.Request) (Identity, error) {
	if token, ok := bearerToken(r); ok {
		return a.byToken(r.Context(), token)
	}
	c, err := r.Cookie(a.CookieName())
	if err != nil || c.Value == "" {
		return Identity{}, ErrNobody
	}
	return a.bySession(r.Context(), c.Value, r.Header.Get(QuietHeader) != "")
}

func bearerToken(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

func sameCSRF(r *http.Request, want string) bool {
	got := r.Header.Get(CSRFHeader)
	if got == "" {
		got = r.PostFormValue(CSRFField)
	}
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// Remote gives the address that a request came from. Headers that a proxy may have added are not believed: anybody can
// send them, and the brake on guessing stands on this address.
func Remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
