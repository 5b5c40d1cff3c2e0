// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/schemas"
)

// alertJSON is the original alert record of the sensor. The OpenAPI document refers to its JSON Schema.
type alertJSON json.RawMessage

// Schema implements huma.SchemaProvider.
func (alertJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindAlert) }

// MarshalJSON returns the record.
func (r alertJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// deviceJSON is the original device record of the sensor.
type deviceJSON json.RawMessage

// Schema implements huma.SchemaProvider.
func (deviceJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindDevice) }

// MarshalJSON returns the record.
func (r deviceJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// incidentJSON is the original incident record of the sensor.
type incidentJSON json.RawMessage

// Schema implements huma.SchemaProvider.
func (incidentJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindIncident) }

// MarshalJSON returns the record.
func (r incidentJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// statusJSON is the original status record of a sensor.
type statusJSON json.RawMessage

// Schema implements huma.SchemaProvider.
func (statusJSON) Schema(huma.Registry) *huma.Schema { return refer(schemas.KindStatus) }

// MarshalJSON returns the record.
func (r statusJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// componentPrefix is the prefix of references to schemas within the OpenAPI document.
const componentPrefix = "#/components/schemas/"

// component returns the name of the schema of a record, or of one of its definitions, in the OpenAPI document.
func component(k schemas.Kind, def string) string {
	name := strings.ToUpper(string(k[:1])) + string(k[1:]) + "Record"
	if def != "" {
		name += "." + def
	}
	return name
}

// refer returns a reference to the schema of a record. It uses Extensions because huma resolves Ref by Go types.
func refer(k schemas.Kind) *huma.Schema {
	return &huma.Schema{Extensions: map[string]any{"$ref": componentPrefix + component(k, "")}}
}

// components returns the initial schemas of the OpenAPI document: those of the records, so that all references resolve within the
// document, and times as RFC 3339 strings.
func components() huma.Registry {
	reg := huma.NewMapRegistry(componentPrefix, huma.DefaultSchemaNamer)
	reg.RegisterTypeAlias(reflect.TypeFor[schemas.Time](), reflect.TypeFor[time.Time]())
	for _, k := range schemas.Kinds() {
		b, err := schemas.File(k)
		if err != nil {
			panic(err) // the files are embedded
		}
		var schema map[string]any
		if err := json.Unmarshal(b, &schema); err != nil {
			panic(err)
		}
		defs, _ := schema["$defs"].(map[string]any)
		for _, key := range []string{"$id", "$schema", "$defs"} {
			delete(schema, key)
		}
		reg.Map()[component(k, "")] = &huma.Schema{Extensions: rebase(k, schema)}
		for name, def := range defs {
			if def, ok := def.(map[string]any); ok {
				reg.Map()[component(k, name)] = &huma.Schema{Extensions: rebase(k, def)}
			}
		}
	}
	return reg
}

// rebase rewrites the references in the schema of a record to components: those to its own $defs, and those to another record by URN.
func rebase(k schemas.Kind, schema map[string]any) map[string]any {
	for key, v := range schema {
		schema[key] = rebased(k, key, v)
	}
	return schema
}

func rebased(k schemas.Kind, key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return rebase(k, v)
	case []any:
		for i := range v {
			v[i] = rebased(k, "", v[i])
		}
	case string:
		if key != "$ref" {
			return v
		}
		if def, ok := strings.CutPrefix(v, "#/$defs/"); ok {
			return componentPrefix + component(k, def)
		}
		for _, other := range schemas.Kinds() {
			if v == "urn:stillwatch:"+string(other)+":1" {
				return componentPrefix + component(other, "")
			}
		}
	}
	return v
}
