// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Owns tells whether a path is one of the API's, so that a refusal of it is a problem document and not a page.
func Owns(path string) bool { return strings.HasPrefix(path, "/api/") }

// Refuse answers a request that was not let in with a problem document (RFC 9457).
func Refuse(w http.ResponseWriter, _ *http.Request, status int, why string) {
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
