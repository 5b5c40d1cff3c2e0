// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/auth"
)

type meOutput struct {
	Body struct {
		Name string `json:"name"`
		Role string `json:"role" enum:"viewer,analyst,admin"`
	}
}

type auditItem struct {
	At     time.Time `json:"at"`
	User   string    `json:"user"`
	Action string    `json:"action"`
	Target string    `json:"target,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Remote string    `json:"remote,omitempty"`
}

type auditOutput struct {
	Body struct {
		Entries []auditItem `json:"entries" nullable:"false"`
		Next    string      `json:"next,omitempty"`
	}
}

type tokenItem struct {
	ID       int64      `json:"id"`
	Name     string     `json:"name"`
	Role     string     `json:"role" enum:"viewer,analyst,admin"`
	Created  time.Time  `json:"created"`
	LastSeen *time.Time `json:"last_seen,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
}

type tokensOutput struct {
	Body struct {
		Tokens []tokenItem `json:"tokens" nullable:"false"`
	}
}

type tokenInput struct {
	Body struct {
		Name string  `json:"name" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._@-]*$"`
		Role string  `json:"role" enum:"viewer,analyst,admin"`
		Days integer `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"days until it expires; 0: never"`
	}
}

// integer is an integer as defined by JSON Schema, which includes 30.0.
type integer int

// UnmarshalJSON parses a number without a fraction.
func (i *integer) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return fmt.Errorf("%.20s is not an integer", b)
	}
	*i = integer(f)
	return nil
}

type tokenOutput struct {
	Body struct {
		ID    int64  `json:"id"`
		Token string `json:"token" doc:"the secret, which is only returned here"`
	}
}

type tokenID struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *API) accountRoutes(h huma.API) {
	admin := func(id, method, path, summary string) huma.Operation {
		op := operation(id, path, summary+" (admin)")
		op.Method, op.Metadata[needs] = method, auth.Admin
		return op
	}
	huma.Register(h, operation("me", "/me", "The current user or token"), a.me)
	huma.Register(h, admin("list-audit", http.MethodGet, "/audit", "The audit log, newest first"), a.auditLog)
	huma.Register(h, admin("list-tokens", http.MethodGet, "/tokens", "API tokens, without their secrets"), a.tokens)
	huma.Register(h, admin("add-token", http.MethodPost, "/tokens", "Create an API token"), a.addToken)
	huma.Register(h, admin("revoke-token", http.MethodDelete, "/tokens/{id}", "Revoke an API token"), a.revokeToken)
}

func (a *API) me(ctx context.Context, _ *struct{}) (*meOutput, error) {
	id := auth.From(ctx)
	out := &meOutput{}
	out.Body.Name, out.Body.Role = id.Name, string(id.Role)
	return out, nil
}

func (a *API) auditLog(ctx context.Context, in *Paging) (*auditOutput, error) {
	l, err := a.store.Audit(ctx, in.page(""))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &auditOutput{}
	out.Body.Next, out.Body.Entries = l.Next, make([]auditItem, len(l.Entries))
	for i, e := range l.Entries {
		out.Body.Entries[i] = auditItem{At: e.At.UTC(), User: e.User, Action: e.Action, Target: e.Target, Detail: e.Detail, Remote: e.Remote}
	}
	return out, nil
}

func (a *API) tokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	rows, err := a.store.Tokens(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &tokensOutput{}
	out.Body.Tokens = make([]tokenItem, len(rows))
	for i, t := range rows {
		out.Body.Tokens[i] = tokenItem{
			ID: t.ID, Name: t.Name, Role: t.Role, Created: t.Created.UTC(), LastSeen: known(t.LastSeen), Expires: known(t.Expires),
		}
	}
	return out, nil
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *API) addToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	id := auth.From(ctx)
	secret, t, err := a.auth.NewTokenFor(ctx, id, in.Body.Name, auth.Role(in.Body.Role), int(in.Body.Days))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &tokenOutput{}
	out.Body.ID, out.Body.Token = t.ID, secret
	return out, nil
}

func (a *API) revokeToken(ctx context.Context, in *tokenID) (*struct{}, error) {
	if err := a.auth.RevokeToken(ctx, auth.From(ctx).Name, in.ID); err != nil {
		return nil, a.problem(err)
	}
	return nil, nil
}
