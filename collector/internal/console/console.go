// SPDX-License-Identifier: Apache-2.0

// Package console is the analyst's pages, rendered here and served with their assets from the program itself. Strings from
// the wire are made harmless on their way into every page (Clean) and escaped by html/template; no page has inline script
// or style, so that the Content-Security-Policy can forbid both.
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
	"stillwatch/collector/internal/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Config is what a Console needs.
type Config struct {
	Store   store.Store
	Auth    *auth.Auth
	Version string
	Log     *zap.Logger // nil: none
	// Public are routes without a sign-in besides the sign-in page: "GET /healthz".
	Public map[string]http.Handler
}

// Console serves the pages and, below /api/v1, the REST interface.
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

// New gives a Console with all its routes.
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
	k.mux = auth.NewMux(c.Auth, k.refuse)
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
		k.mux.Handle(pattern, auth.Viewer, k.failing(h))
	}
	admin := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		k.mux.Handle(pattern, auth.Admin, k.failing(h))
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
	k.mux.Handle("GET /refused", auth.Analyst, k.failing(k.refusedRecords))
	admin("GET /admin", k.admin)
	admin("POST /admin/tokens", k.addToken)
	admin("POST /admin/tokens/{id}/revoke", k.revokeToken)
}

// ServeHTTP answers a request.
func (k *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.mux.ServeHTTP(w, r) }

// Routes lists all routes and who may use them.
func (k *Console) Routes() []auth.Route { return k.mux.Routes() }

// Close ends the event streams that are open, so that a server can shut down.
func (k *Console) Close() { k.api.Close() }

// parse reads each page together with the layout and the parts that pages share.
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

// page is what the layout is filled with.
type page struct {
	Title   string
	Nav     string // entry of the menu that is lit
	Live    bool   // its regions follow the event stream
	User    auth.Identity
	Theme   string
	Version string
	Query   verbatim
	After   int64 // change number from which on the page must be told of changes
	Body    any
}

// show renders a page. It is rendered as a whole before anything is sent, so that a fault cannot send half of one.
func (k *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) error {
	p.User, p.Version, p.Theme = auth.From(r.Context()), k.version, theme(r)
	p.After, _ = r.Context().Value(changeKey{}).(int64)
	p.Title, p.Body = Clean(p.Title), Clean(p.Body)
	var b bytes.Buffer
	if err := k.pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}

// theme is what the reader chose; empty follows the system.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && slices.Contains([]string{"light", "dark"}, c.Value) {
		return c.Value
	}
	return ""
}

// failing turns the error of a page into an answer.
func (k *Console) failing(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := k.since(w, r, h)
		switch {
		case err == nil, r.Context().Err() != nil:
		case errors.Is(err, store.ErrNotFound):
			k.message(w, r, http.StatusNotFound, "There is no such record.")
		case errors.Is(err, store.ErrCursor):
			k.message(w, r, http.StatusBadRequest, "This part of the list is not there any more: begin again.")
		case errors.Is(err, store.ErrRetry):
			k.message(w, r, http.StatusServiceUnavailable, "The database does not answer now: try again.")
		default:
			k.log.Error("page failed", zap.String("path", Clean(r.URL.Path)), zap.Error(err))
			k.message(w, r, http.StatusInternalServerError, "The page failed; the collector's log says why.")
		}
	})
}

type changeKey struct{}

// since notes the latest change before a page reads anything, so that what is stored meanwhile is told to the page later.
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
		k.log.Warn("message not sent", zap.Error(err))
	}
}

// refuse answers a request that was not let in: a program gets a problem document, a reader the sign-in page.
func (k *Console) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	switch {
	case api.Owns(r.URL.Path):
		api.Refuse(w, r, status, why)
	case status == http.StatusUnauthorized && r.Method == http.MethodGet:
		http.Redirect(w, r, "/signin?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		k.message(w, r, status, strings.ToUpper(why[:1])+why[1:]+".")
	}
}
