// SPDX-License-Identifier: Apache-2.0

// Package console serves the web console for analysts. Pages are rendered on the server and all assets are embedded. Text from the
// network is sanitized before it is rendered, and html/template escapes it. Pages have no inline scripts or styles, so that the
// Content-Security-Policy can forbid them.
package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.uber.org/zap"

	"stillwatch/collector/internal/api"
	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sanitize"
	"stillwatch/collector/internal/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Strings that are not truncated and sanitized like others.
type (
	verbatim = sanitize.Verbatim
	long     = sanitize.Long
)

// Config configures a Console.
type Config struct {
	Store   store.Store
	Auth    *auth.Auth
	Version string
	Log     *zap.Logger // nil: none
	// Public holds additional routes that need no sign-in, such as "GET /healthz".
	Public map[string]http.Handler
}

// Console serves the pages and, under /api/v1, the REST API.
type Console struct {
	store   store.Store
	auth    *auth.Auth
	log     *zap.Logger
	version string
	mux     *auth.Mux
	api     *api.API
	pages   map[string]*template.Template
	assets  *assets
	totals  totals
}

// New returns a Console with all routes.
func New(c Config) (*Console, error) {
	k := &Console{store: c.Store, auth: c.Auth, log: c.Log, version: c.Version}
	if k.log == nil {
		k.log = zap.NewNop()
	}
	var err error
	if k.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if k.pages, err = k.parse(); err != nil {
		return nil, err
	}
	k.mux = auth.NewMux(c.Auth, k.deny)
	k.api = api.Register(k.mux, api.Config{Store: c.Store, Auth: c.Auth, Version: c.Version, Log: k.log})
	k.routes()
	for pattern, h := range c.Public {
		k.mux.Handle(pattern, auth.Public, h)
	}
	return k, nil
}

func (k *Console) routes() {
	public := func(pattern string, h http.HandlerFunc) { k.mux.Handle(pattern, auth.Public, h) }
	view := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		k.mux.Handle(pattern, auth.Viewer, k.handler(h))
	}
	admin := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		k.mux.Handle(pattern, auth.Admin, k.handler(h))
	}
	public("GET /assets/{name}", k.assets.serve)
	public("GET /signin", k.signInPage)
	public("POST /signin", k.signIn)
	public("GET /signin/link", k.linkPage)
	public("POST /signin/link", k.signInLink)
	view("POST /signout", k.signOut)
	view("GET /{$}", k.overview)
	view("GET /search", k.search)
	view("GET /alerts", k.alerts)
	view("GET /alerts/{id}", k.alert)
	view("GET /incidents", k.incidents)
	view("GET /incidents/{id}", k.incident)
	view("GET /devices", k.devices)
	view("GET /device", k.device)
	view("GET /sensors", k.sensors)
	k.mux.Handle("GET /dead-letters", auth.Analyst, k.handler(k.deadLetters))
	k.mux.Handle("GET /evidence/{sha256}", auth.Analyst, k.handler(k.evidence))
	admin("GET /admin", k.admin)
	admin("POST /admin/tokens", k.addToken)
	admin("POST /admin/tokens/{id}/revoke", k.revokeToken)
}

// ServeHTTP implements http.Handler.
func (k *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.mux.ServeHTTP(w, r) }

// Routes returns all routes with the roles that they require.
func (k *Console) Routes() []auth.Route { return k.mux.Routes() }

// Close ends open event streams, so that a server can shut down.
func (k *Console) Close() { k.api.Close() }

// parse parses each page together with the layout and the shared parts.
func (k *Console) parse() (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(k.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, name); err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return pages, nil
}

// page is the data of the layout.
type page struct {
	Title   string
	Nav     string // current entry of the menu
	Live    bool   // its regions are updated live
	User    auth.Identity
	Theme   string
	Version string
	Query   verbatim
	After   int64 // change number after which the page needs updates
	Body    any
}

// show renders a page. It renders the whole page before it sends anything, so that an error cannot leave half a page.
func (k *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) error {
	p.User, p.Version, p.Theme = auth.From(r.Context()), k.version, theme(r)
	p.After, _ = r.Context().Value(changeKey{}).(int64)
	p.Title, p.Body = sanitize.Value(p.Title), sanitize.Value(p.Body)
	var b bytes.Buffer
	if err := k.pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}

// theme returns the theme that the user chose; "" follows the system.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && slices.Contains([]string{"light", "dark"}, c.Value) {
		return c.Value
	}
	return ""
}

// handler returns a handler that shows the error of a page.
func (k *Console) handler(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := k.since(w, r, h)
		switch {
		case err == nil, r.Context().Err() != nil:
		case errors.Is(err, store.ErrNotFound):
			k.message(w, r, http.StatusNotFound, "Record not found.")
		case errors.Is(err, store.ErrCursor):
			k.message(w, r, http.StatusBadRequest, "This page of the list is no longer valid. Start again from the first page.")
		case errors.Is(err, store.ErrRetry):
			k.message(w, r, http.StatusServiceUnavailable, "The database is not available. Try again.")
		default:
			k.log.Error("page failed", zap.String("path", sanitize.Value(r.URL.Path)), zap.Error(err))
			k.message(w, r, http.StatusInternalServerError, "Internal error. See the log of the collector.")
		}
	})
}

type changeKey struct{}

// since gets the latest change number before a page reads anything, so that the page later receives changes that are stored meanwhile.
func (k *Console) since(w http.ResponseWriter, r *http.Request, h func(http.ResponseWriter, *http.Request) error) error {
	change, err := k.store.LastChange(r.Context())
	if err != nil {
		return err
	}
	return h(w, r.WithContext(context.WithValue(r.Context(), changeKey{}, change)))
}

func (k *Console) message(w http.ResponseWriter, r *http.Request, status int, text string) {
	body := map[string]any{"Status": status, "Name": http.StatusText(status), "Text": text}
	if err := k.show(w, r, status, "message", page{Title: http.StatusText(status), Body: body}); err != nil {
		k.log.Warn("cannot send a message page", zap.Error(err))
	}
}

// deny answers a denied request: with a problem document for the API, else with the sign-in page or a message.
func (k *Console) deny(w http.ResponseWriter, r *http.Request, status int, why string) {
	switch {
	case api.Owns(r.URL.Path):
		api.Deny(w, r, status, why)
	case status == http.StatusUnauthorized && r.Method == http.MethodGet:
		http.Redirect(w, r, "/signin?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		k.message(w, r, status, strings.ToUpper(why[:1])+why[1:]+".")
	}
}
