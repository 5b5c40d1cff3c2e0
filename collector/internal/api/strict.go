// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// strict rejects input that the OpenAPI document does not allow but huma accepts: an empty query parameter whose type has no empty
// value, and null as the value of a property.
func strict(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if name := emptyParameter(ctx.Operation().Parameters, r.URL.Query()); name != "" {
			invalid(h, ctx, "query."+name, "the parameter is empty: set a value or omit it")
			return
		}
		if ctx.Operation().RequestBody != nil {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ctx.Operation().MaxBodyBytes))
			if err != nil {
				_ = huma.WriteErr(h, ctx, http.StatusRequestEntityTooLarge, "the body cannot be read or is too large")
				return
			}
			if name := nullProperty(body); name != "" {
				invalid(h, ctx, "body."+name, "null is not allowed: set a value or omit the property")
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next(ctx)
	}
}

// invalid answers with a problem document that names the location of the error.
func invalid(h huma.API, ctx huma.Context, where, why string) {
	// WriteErr fails only if the client has disconnected.
	_ = huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, "validation failed", &huma.ErrorDetail{Location: where, Message: why})
}

// emptyParameter returns the name of the first parameter in q that is empty although its schema has no empty value.
func emptyParameter(declared []*huma.Param, q url.Values) string {
	for _, p := range declared {
		if p.In != "query" || !q.Has(p.Name) || q.Get(p.Name) != "" {
			continue
		}
		switch s := p.Schema; {
		case s.Type == huma.TypeArray: // an empty list restricts nothing
		case s.Type != huma.TypeString, s.Format != "", len(s.Enum) > 0:
			return p.Name
		}
	}
	return ""
}

// nullProperty returns the name of a property of a JSON object that is null. Other bodies are left to huma.
func nullProperty(body []byte) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return ""
	}
	for name, v := range object {
		if string(v) == "null" {
			return name
		}
	}
	return ""
}
