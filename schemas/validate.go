// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"embed"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed alert.json device.json evidence.json incident.json policy.json session.json status.json
var files embed.FS

// File returns the published JSON Schema of a kind.
func File(k Kind) ([]byte, error) {
	b, err := files.ReadFile(string(k) + ".json")
	if err != nil {
		return nil, fmt.Errorf("no schema for kind %q", string(k))
	}
	return b, nil
}

// validator checks records of one kind.
type validator struct {
	schema *jsonschema.Schema
	fast   *check
}

var compiled = sync.OnceValues(func() (map[Kind]validator, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, k := range Kinds() {
		b, err := File(k)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", k, err)
		}
		if err := c.AddResource(url(k), doc); err != nil {
			return nil, fmt.Errorf("schema %s: %w", k, err)
		}
	}
	m, built := map[Kind]validator{}, checks{}
	for _, k := range Kinds() {
		s, err := c.Compile(url(k))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", k, err)
		}
		m[k] = validator{s, built.of(s)}
	}
	return m, nil
})

func url(k Kind) string { return "urn:stillwatch:" + string(k) + ":1" }

// Validate checks one line against the schema of kind k. The error names the location and the reason.
func Validate(k Kind, line []byte) error {
	m, err := compiled()
	if err != nil {
		return err
	}
	v, ok := m[k]
	if !ok {
		return fmt.Errorf("no schema for kind %q", string(k))
	}
	if v.fast.line(string(line)) {
		return nil
	}
	return v.full(k, line)
}

// ValidFast reports whether the fast path accepts line, in a tenth of the time of the full validation. A line that it does not accept
// may still be valid; Validate decides.
func ValidFast(k Kind, line []byte) bool {
	m, err := compiled()
	return err == nil && m[k].fast != nil && m[k].fast.line(string(line))
}

// full validates line with the library.
func (v validator) full(k Kind, line []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("%s record is not JSON: %w", k, err)
	}
	if err := v.schema.Validate(doc); err != nil {
		return fmt.Errorf("%s record: %w", k, err)
	}
	return nil
}
