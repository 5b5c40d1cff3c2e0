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

// Public is the role of routes that need no sign-in: health, the sign-in page and its assets.
const Public Role = "public"

// Names of fields and headers.
const (
	CSRFField  = "csrf"         // form field
	CSRFHeader = "X-CSRF-Token" // header, instead of the field
	// QuietHeader marks automatic requests of a page, which do not keep a session alive.
	QuietHeader = "X-Stillwatch-Quiet"
)

// maxForm is the maximum size of a request body.
const maxForm = 64 << 10

// Route is a pattern of http.ServeMux and the role that it requires.
type Route struct {
	Pattern string
	Access  Role
}

// Deny answers a request that is not allowed. status is 401, 403 or 503.
type Deny func(w http.ResponseWriter, r *http.Request, status int, why string)

// Mux routes and authorizes requests. Every route has a required role, and only signed-in users learn which paths do not exist.
type Mux struct {
	auth   *Auth
	mux    *http.ServeMux
	routes []Route
	deny   Deny
	origin *http.CrossOriginProtection
}

// NewMux returns a Mux that answers denied requests with deny.
func NewMux(a *Auth, deny Deny) *Mux {
	return &Mux{auth: a, mux: http.NewServeMux(), deny: deny, origin: http.NewCrossOriginProtection()}
}

// Handle adds a route that requires role. It panics if role is not valid.
func (m *Mux) Handle(pattern string, role Role, h http.Handler) {
	if role != Public && role.rank() == 0 {
		panic("auth: route " + pattern + " has no role") // a programming error, found at startup
	}
	m.routes = append(m.routes, Route{Pattern: pattern, Access: role})
	m.mux.Handle(pattern, m.authorize(role, h))
}

// Routes returns the routes in the order of Handle.
func (m *Mux) Routes() []Route { return append([]Route(nil), m.routes...) }

// ServeHTTP sets the headers of every response and serves the request.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.headers(w)
	h, pattern := m.mux.Handler(r)
	if pattern == "" {
		m.authorize(Viewer, h).ServeHTTP(w, r)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// contentPolicy allows pages to load only what this server serves: no inline scripts or styles, no frames. Scripts can create HTML
// only through the trusted types policy.
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

func (m *Mux) authorize(role Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		_, bearer := bearerToken(r)
		// A page of another origin does not have an API token, so only requests without one need the origin check.
		if !bearer && m.origin.Check(r) != nil {
			m.deny(w, r, http.StatusForbidden, "cross-origin request")
			return
		}
		id, err := m.auth.Identify(r)
		switch {
		case role == Public:
		case errors.Is(err, ErrNoCredentials), errors.Is(err, ErrDenied):
			m.deny(w, r, http.StatusUnauthorized, "not signed in")
			return
		case err != nil:
			m.auth.log.Warn("cannot authenticate a request", zap.Error(err))
			m.deny(w, r, http.StatusServiceUnavailable, "the database is not available")
			return
		case !id.Role.Allows(role):
			m.deny(w, r, http.StatusForbidden, "this requires the role "+string(role))
			return
		case !id.Token && !safe(r.Method) && !sameCSRF(r, id.CSRF):
			m.deny(w, r, http.StatusForbidden, "missing or wrong CSRF token: reload the page and try again")
			return
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
	})
}

type identityKey struct{}

// From returns the identity of the request of ctx. Its name is empty if nobody is signed in.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}

// Identify authenticates a request. Errors wrap ErrNoCredentials, ErrDenied or an error of the store.
func (a *Auth) Identify(r *http.Request) (Identity, error) {
	if token, ok := bearerToken(r); ok {
		return a.byToken(r.Context(), token)
	}
	c, err := r.Cookie(a.CookieName())
	if err != nil || c.Value == "" {
		return Identity{}, ErrNoCredentials
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

// Remote returns the source address of a request. It ignores proxy headers such as X-Forwarded-For: any client can send them, and the
// rate limit of sign-ins depends on this address.
func Remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
