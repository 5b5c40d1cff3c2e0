// SPDX-License-Identifier: Apache-2.0

// Package api serves the REST API under /api/v1: alerts, incidents, devices and sensors as JSON, changes as server-sent events, and
// their OpenAPI 3.1 document. Errors are problem documents (RFC 9457).
package api

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// Base is the path prefix of all routes.
const Base = "/api/v1"

// Config configures an API.
type Config struct {
	Store   store.Store
	Auth    *auth.Auth
	Version string      // for the OpenAPI document
	Log     *zap.Logger // nil: none
	// Streams is the maximum number of open event streams; 0: 256.
	Streams int
}

// API holds the handlers of the routes.
type API struct {
	store store.Store
	auth  *auth.Auth
	log   *zap.Logger
	slots chan struct{}
	once  sync.Once
	done  chan struct{}
}

// Register adds the routes of the API to mux.
func Register(mux *auth.Mux, c Config) *API {
	if c.Streams == 0 {
		c.Streams = 256
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	a := &API{store: c.Store, auth: c.Auth, log: c.Log, slots: make(chan struct{}, c.Streams), done: make(chan struct{})}
	h := huma.NewAPI(document(c.Version), adapter{mux})
	h.UseMiddleware(strict(h))
	a.alertRoutes(h)
	a.evidenceRoutes(h)
	a.incidentRoutes(h)
	a.deviceRoutes(h)
	a.sensorRoutes(h)
	a.eventRoutes(h)
	a.accountRoutes(h)
	for _, k := range schemas.Kinds() {
		mux.Handle("GET "+Base+"/schemas/"+string(k)+".json", auth.Viewer, schemaFile(k))
	}
	return a
}

// Close ends all event streams. A server must call it before it shuts down, because streams do not end on their own.
func (a *API) Close() { a.once.Do(func() { close(a.done) }) }

func document(version string) huma.Config {
	const about = "Alerts, incidents, devices and sensors of stillwatch. Authenticate with an API token (Authorization: Bearer " +
		"swt_…) or with the session cookie of the console. Requests with the cookie that change state need the CSRF token of the session " +
		"in X-CSRF-Token. Strings in records come from the network and may contain anything, including HTML and control characters."
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "stillwatch collector", Version: version, Description: about},
			Components: &huma.Components{
				Schemas: components(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer"},
					"session": {Type: "apiKey", In: "cookie", Name: "stillwatch", Description: "__Host-stillwatch over TLS"},
				},
			},
			// The URL is relative to this document (OpenAPI 3.1, Server Object); paths start at the root of its host.
			Servers:  []*huma.Server{{URL: "/", Description: "The collector that serves this document"}},
			Security: []map[string][]string{{"token": {}}, {"session": {}}},
		},
		OpenAPIPath:   Base + "/openapi",
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

// needs is the metadata key of the role that an operation requires. The default is viewer.
const needs = "needs"

// adapter registers the operations of huma with the authorizing mux.
type adapter struct{ mux *auth.Mux }

// Handle implements huma.Adapter.
func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	role := auth.Viewer
	if r, ok := op.Metadata[needs].(auth.Role); ok {
		role = r
	}
	a.mux.Handle(op.Method+" "+op.Path, role, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(humago.NewContext(op, r, w))
	}))
}

// ServeHTTP implements huma.Adapter.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// operation returns a GET operation.
func operation(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: Base + path, Summary: summary, Metadata: map[string]any{}}
}

// problem converts an error to a problem document. Unexpected errors are logged and not shown to the client.
func (a *API) problem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return huma.Error404NotFound("record not found")
	case errors.Is(err, store.ErrExists):
		return huma.Error409Conflict("the name is already in use")
	case errors.Is(err, auth.ErrInput):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, auth.ErrDenied):
		return huma.Error403Forbidden("your role does not allow this")
	case errors.Is(err, store.ErrCursor):
		return huma.Error400BadRequest("the cursor is not valid for this list: start again without it")
	case errors.Is(err, store.ErrRetry):
		return huma.Error503ServiceUnavailable("the database is not available: try again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the request was canceled or timed out")
	}
	a.log.Error("request failed", zap.Error(err))
	return huma.Error500InternalServerError("the request failed; see the log of the collector")
}

func schemaFile(k schemas.Kind) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := schemas.File(k)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(b)
	})
}
