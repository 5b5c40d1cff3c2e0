// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Owns reports whether a path belongs to the API, so that errors are problem documents and not pages.
func Owns(path string) bool { return strings.HasPrefix(path, "/api/") }

// Deny answers a denied request with a problem document (RFC 9457).
func Deny(w http.ResponseWriter, _ *http.Request, status int, why string) {
	b, err := json.Marshal(map[string]any{"title": http.StatusText(status), "status": status, "detail": why})
	if err != nil {
		http.Error(w, why, status)
		return
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="stillwatch"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
