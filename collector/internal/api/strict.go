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

// strict refuses what the OpenAPI document does not allow but huma lets through: a query parameter that is present and empty
// although its type has no empty value, and null as the value of a property.
func strict(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if name := emptyParameter(ctx.Operation().Parameters, r.URL.Query()); name != "" {
			refuse(h, ctx, "query."+name, "the parameter is empty: give a value or leave it out")
			return
		}
		if ctx.Operation().RequestBody != nil {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ctx.Operation().MaxBodyBytes))
			if err != nil {
				_ = huma.WriteErr(h, ctx, http.StatusRequestEntityTooLarge, "the body cannot be read or is too large")
				return
			}
			if name := nullProperty(body); name != "" {
				refuse(h, ctx, "body."+name, "null is no value: give one or leave the property out")
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next(ctx)
	}
}

// refuse answers with a problem document that names the place of the fault.
func refuse(h huma.API, ctx huma.Context, where, why string) {
	// An error of WriteErr means that the client is gone.
	_ = huma.WriteErr(h, ctx, http.StatusUnprocessableEntity, "validation failed", &huma.ErrorDetail{Location: where, Message: why})
}

// emptyParameter gives the name of the first parameter in q that is empty although its schema has no empty value.
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

// nullProperty gives the name of a property of the JSON object that is null; what is no object is left to huma.
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
