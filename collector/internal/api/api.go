// SPDX-License-Identifier: Apache-2.0

// Package api is the REST interface under /api/v1: alerts, incidents, devices and sensors as JSON, changes as server-sent
// events, and an OpenAPI 3.1 document of it all. Errors are problem documents (RFC 9457).
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

// Base is where all routes of this package begin.
const Base = "/api/v1"

// Config is what an API needs.
type Config struct {
	Store   store.Store
	Auth    *auth.Auth
	Version string      // of the program, for the OpenAPI document
	Log     *zap.Logger // nil: none
	// Streams is how many event streams may be open at once; 0: 256.
	Streams int
}

// API serves the routes.
type API struct {
	store store.Store
	auth  *auth.Auth
	log   *zap.Logger
	slots chan struct{}
	once  sync.Once
	done  chan struct{}
}

// Register adds the routes to mux.
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

// Close ends all event streams, so that a server can shut down; they do not end by themselves.
func (a *API) Close() { a.once.Do(func() { close(a.done) }) }

func document(version string) huma.Config {
	const about = "Alerts, incidents, devices and sensors of stillwatch. Sign in by the console's session cookie or by an API " +
		"token (Authorization: Bearer swt_…). Requests that change something by a cookie carry its CSRF token in X-CSRF-Token. " +
		"Strings in records come from the network and may hold anything, HTML and control characters too."
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
			// Relative to the address of this document (OpenAPI 3.1, Server Object): the paths begin at its root.
			Servers:  []*huma.Server{{URL: "/", Description: "the collector that serves this document"}},
			Security: []map[string][]string{{"token": {}}, {"session": {}}},
		},
		OpenAPIPath:   Base + "/openapi",
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	}
}

// needs is the key under which an operation says who may use it; without it, a viewer.
const needs = "needs"

// adapter puts huma's operations behind the door.
type adapter struct{ mux *auth.Mux }

func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	who := auth.Viewer
	if r, ok := op.Metadata[needs].(auth.Role); ok {
		who = r
	}
	a.mux.Handle(op.Method+" "+op.Path, who, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(humago.NewContext(op, r, w))
	}))
}

func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// operation describes a route that reads.
func operation(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: Base + path, Summary: summary, Metadata: map[string]any{}}
}

// problem turns an error of the store into one for the client; what it does not expect is logged and not told.
func (a *API) problem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return huma.Error404NotFound("there is no such record")
	case errors.Is(err, store.ErrExists):
		return huma.Error409Conflict("the name is taken")
	case errors.Is(err, auth.ErrInput):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, auth.ErrRefused):
		return huma.Error403Forbidden("the role does not allow this")
	case errors.Is(err, store.ErrCursor):
		return huma.Error400BadRequest("the cursor is not one of this list: begin again without it")
	case errors.Is(err, store.ErrRetry):
		return huma.Error503ServiceUnavailable("the database cannot be written now: try again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the request was ended")
	}
	a.log.Error("request failed", zap.Error(err))
	return huma.Error500InternalServerError("the request failed; the collector's log says why")
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
