// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"strconv"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
)

type adminBody struct {
	Users       []store.User
	Tokens      []store.Token
	Audit       []store.AuditEntry
	Roles       []auth.Role
	Secret      verbatim // of a new token
	Error       string
	Next, First verbatim
}

func (k *Console) admin(w http.ResponseWriter, r *http.Request) error {
	return k.adminPage(w, r, http.StatusOK, adminBody{})
}

func (k *Console) adminPage(w http.ResponseWriter, r *http.Request, status int, body adminBody) error {
	ctx, q := r.Context(), r.URL.Query()
	var err error
	if body.Users, err = k.store.Users(ctx); err != nil {
		return err
	}
	if body.Tokens, err = k.store.Tokens(ctx); err != nil {
		return err
	}
	log, err := k.store.Audit(ctx, store.Page{Cursor: q.Get("cursor"), Limit: 50})
	if err != nil {
		return err
	}
	for i := range body.Users {
		body.Users[i].PasswordHash = "" // not shown
	}
	body.Audit, body.Roles = log.Entries, auth.Roles()
	body.Next, body.First = next(q, "/admin", log.Next), first(q, "/admin")
	return k.show(w, r, status, "admin", page{Title: "Administration", Nav: "admin", Body: body})
}

func (k *Console) addToken(w http.ResponseWriter, r *http.Request) error {
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil || days < 0 || days > 3650 {
		return k.adminPage(w, r, http.StatusUnprocessableEntity, adminBody{Error: "Enter a number of days from 0 to 3650."})
	}
	id := auth.From(r.Context())
	secret, _, err := k.auth.NewTokenFor(r.Context(), id, r.PostFormValue("name"), auth.Role(r.PostFormValue("role")), days)
	switch {
	case errors.Is(err, store.ErrExists):
		return k.adminPage(w, r, http.StatusConflict, adminBody{Error: "A token with this name already exists."})
	case errors.Is(err, auth.ErrInput):
		return k.adminPage(w, r, http.StatusUnprocessableEntity, adminBody{Error: err.Error()})
	case err != nil:
		return err
	}
	return k.adminPage(w, r, http.StatusOK, adminBody{Secret: verbatim(secret)})
}

func (k *Console) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	if err := k.auth.RevokeToken(r.Context(), auth.From(r.Context()).Name, id); err != nil {
		return err
	}
	http.Redirect(w, r, "/admin", http.StatusSeeOther)
	return nil
}
