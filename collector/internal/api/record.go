// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/schemas"
)

// alertJSON is an alert record as the sensor wrote it. The OpenAPI document refers to the record's own JSON Schema.
type alertJSON json.RawMessage

// Schema is for the OpenAPI document.
func (alertJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindAlert) }

// MarshalJSON gives the record.
func (r alertJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// deviceJSON is a device record as the sensor wrote it.
type deviceJSON json.RawMessage

// Schema is for the OpenAPI document.
func (deviceJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindDevice) }

// MarshalJSON gives the record.
func (r deviceJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// refer gives a reference that is relative to the place of the OpenAPI document. Extensions carries it: huma resolves what
// stands in Ref itself, and knows its own components only.
func refer(k schemas.Kind) *huma.Schema {
	return &huma.Schema{Extensions: map[string]any{"$ref": "schemas/" + string(k) + ".json"}}
}
