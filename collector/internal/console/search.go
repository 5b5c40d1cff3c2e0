// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"stillwatch/collector/internal/store"
)

var (
	communityForm = regexp.MustCompile(`^1:[A-Za-z0-9+/]{27}=$`)
	idForm        = regexp.MustCompile(`^[a-z2-7]{26}$`)
)

// search redirects to the alert, incident or device with the id or key that was entered, to the alerts of a Community ID or address, or
// to the full-text search.
func (k *Console) search(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	to, err := k.target(r, q)
	if err != nil {
		return err
	}
	http.Redirect(w, r, string(to), http.StatusSeeOther)
	return nil
}

func (k *Console) target(r *http.Request, q string) (verbatim, error) {
	ctx := r.Context()
	if q == "" {
		return "/alerts", nil
	}
	if communityForm.MatchString(q) {
		return communityURL(q), nil
	}
	if idForm.MatchString(q) {
		if _, err := k.store.Alert(ctx, q); !errors.Is(err, store.ErrNotFound) {
			return alertURL(q), err
		}
		if _, err := k.store.Incident(ctx, q); !errors.Is(err, store.ErrNotFound) {
			return incidentURL(q), err
		}
	}
	if _, err := k.store.Device(ctx, q); !errors.Is(err, store.ErrNotFound) {
		return deviceURL(q), err
	}
	if a, err := netip.ParseAddr(q); err == nil {
		return listURL("/alerts", "ip", a.String()), nil
	}
	return listURL("/alerts", "q", q), nil
}
