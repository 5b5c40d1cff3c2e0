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
		k.log.Warn("cannot send the sign-in page", zap.Error(err))
	}
}

func (k *Console) signIn(w http.ResponseWriter, r *http.Request) {
	name, to := r.PostFormValue("name"), local(r.PostFormValue("next"))
	g, err := k.auth.SignIn(r.Context(), name, r.PostFormValue("password"), auth.Remote(r))
	if err != nil {
		k.signInFailed(w, r, err, signInBody{Next: verbatim(to), Name: verbatim(name)})
		return
	}
	k.startSession(w, r, g, to)
}

// linkPage asks for confirmation before the link is used, because programs that open links in advance would use it up.
func (k *Console) linkPage(w http.ResponseWriter, r *http.Request) {
	k.signInForm(w, r, http.StatusOK, signInBody{Code: verbatim(r.URL.Query().Get("code"))})
}

func (k *Console) signInLink(w http.ResponseWriter, r *http.Request) {
	g, err := k.auth.SignInLink(r.Context(), r.PostFormValue("code"), auth.Remote(r))
	if err != nil {
		k.signInFailed(w, r, err, signInBody{})
		return
	}
	k.startSession(w, r, g, "/")
}

// startSession sets the cookie and ends the previous session of the browser, against session fixation.
func (k *Console) startSession(w http.ResponseWriter, r *http.Request, g auth.Grant, to string) {
	if old := auth.From(r.Context()); old.Name != "" && !old.Token {
		if _, err := k.auth.SignOut(r.Context(), old, auth.Remote(r)); err != nil {
			k.log.Warn("cannot end the previous session", zap.Error(err))
		}
	}
	http.SetCookie(w, g.Cookie)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (k *Console) signInFailed(w http.ResponseWriter, r *http.Request, err error, body signInBody) {
	status := http.StatusServiceUnavailable
	body.Error = "Sign-in is not available. See the log of the collector."
	var limited *auth.RateLimitError
	switch {
	case errors.As(err, &limited):
		wait := int64(limited.After/time.Second) + 1
		status, body.Error = http.StatusTooManyRequests, "Too many failed attempts. Try again in "+duration(wait)+"."
		w.Header().Set("Retry-After", fmt.Sprint(wait))
	case errors.Is(err, auth.ErrDenied) && r.URL.Path == "/signin/link":
		status, body.Error = http.StatusUnauthorized, "This link has been used or has expired."
	case errors.Is(err, auth.ErrDenied):
		status, body.Error = http.StatusUnauthorized, "Wrong name or password."
	case r.Context().Err() != nil: // the client has disconnected
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

// local returns a safe target of a redirect: a path on this site that starts with one slash and that browsers do not interpret as a
// host (//evil, /\evil).
func local(to string) string {
	u, err := url.Parse(to)
	bad := err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")
	if bad || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(to, "/signin") || strings.HasPrefix(to, "/signout") {
		return "/"
	}
	return to
}
