// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/auth"
)

type signInBody struct {
	Next  verbatim
	Name  verbatim
	Code  verbatim // of a link
	Error string
}

func (k *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if auth.From(r.Context()).Name != "" {
		http.Redirect(w, r, local(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	k.signInForm(w, r, http.StatusOK, signInBody{Next: verbatim(local(r.URL.Query().Get("next")))})
}

func (k *Console) signInForm(w http.ResponseWriter, r *http.Request, status int, body signInBody) {
	if err := k.show(w, r, status, "signin", page{Title: "Sign in", Body: body}); err != nil {
		k.log.Warn("sign-in page not sent", zap.Error(err))
	}
}

func (k *Console) signIn(w http.ResponseWriter, r *http.Request) {
	name, to := r.PostFormValue("name"), local(r.PostFormValue("next"))
	g, err := k.auth.SignIn(r.Context(), name, r.PostFormValue("password"), auth.Remote(r))
	if err != nil {
		k.signInRefused(w, r, err, signInBody{Next: verbatim(to), Name: verbatim(name)})
		return
	}
	k.let(w, r, g, to)
}

// linkPage asks before the link is used: programs that look at links in advance would use it up.
func (k *Console) linkPage(w http.ResponseWriter, r *http.Request) {
	k.signInForm(w, r, http.StatusOK, signInBody{Code: verbatim(r.URL.Query().Get("code"))})
}

func (k *Console) signInLink(w http.ResponseWriter, r *http.Request) {
	g, err := k.auth.SignInLink(r.Context(), r.PostFormValue("code"), auth.Remote(r))
	if err != nil {
		k.signInRefused(w, r, err, signInBody{})
		return
	}
	k.let(w, r, g, "/")
}

// let gives the cookie. A session that the browser had before is ended: nobody can plant one and have it used.
func (k *Console) let(w http.ResponseWriter, r *http.Request, g auth.Grant, to string) {
	if old := auth.From(r.Context()); old.Name != "" && !old.Token {
		if _, err := k.auth.SignOut(r.Context(), old, auth.Remote(r)); err != nil {
			k.log.Warn("old session not ended", zap.Error(err))
		}
	}
	http.SetCookie(w, g.Cookie)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (k *Console) signInRefused(w http.ResponseWriter, r *http.Request, err error, body signInBody) {
	status := http.StatusServiceUnavailable
	body.Error = "Signing in does not work now: the collector's log says why."
	var soon *auth.TooSoonError
	switch {
	case errors.As(err, &soon):
		wait := int64(soon.After/time.Second) + 1
		status, body.Error = http.StatusTooManyRequests, "Too many failed attempts. Try again in "+span(wait)+"."
		w.Header().Set("Retry-After", fmt.Sprint(wait))
	case errors.Is(err, auth.ErrRefused) && r.URL.Path == "/signin/link":
		status, body.Error = http.StatusUnauthorized, "This link was used already, or has ended."
	case errors.Is(err, auth.ErrRefused):
		status, body.Error = http.StatusUnauthorized, "The name or the password is wrong."
	case r.Context().Err() != nil: // who asked is gone: nobody is told, and nothing is wrong
		return
	default:
		k.log.Error("sign-in failed", zap.Error(err))
	}
	k.signInForm(w, r, status, body)
}

func (k *Console) signOut(w http.ResponseWriter, r *http.Request) error {
	c, err := k.auth.SignOut(r.Context(), auth.From(r.Context()), auth.Remote(r))
	if err != nil {
		return err
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
	return nil
}

// local keeps a redirect on this site: a path that begins with one slash, and nothing that a browser reads as one of a
// host (//evil, /\evil).
func local(to string) string {
	u, err := url.Parse(to)
	bad := err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")
	if bad || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(to, "/signin") || strings.HasPrefix(to, "/signout") {
		return "/"
	}
	return to
}
