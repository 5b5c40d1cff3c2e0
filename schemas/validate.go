// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"embed"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed alert.json device.json session.json
var files embed.FS

// File gives the JSON Schema of a kind as it is published.
func File(k Kind) ([]byte, error) {
	b, err := files.ReadFile(string(k) + ".json")
	if err != nil {
		return nil, fmt.Errorf("no schema of the kind %q", string(k))
	}
	return b, nil
}

var compiled = sync.OnceValues(func() (map[Kind]*jsonschema.Schema, error) {
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
	m := map[Kind]*jsonschema.Schema{}
	for _, k := range Kinds() {
		s, err := c.Compile(url(k))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", k, err)
		}
		m[k] = s
	}
	return m, nil
})

func url(k Kind) string { return "urn:stillwatch:" + string(k) + ":1" }

// Validate holds one line against the schema of its kind. The error names the place and the reason.
func Validate(k Kind, line []byte) error {
	m, err := compiled()
	if err != nil {
		return err
	}
	s, ok := m[k]
	if !ok {
		return fmt.Errorf("no schema of the kind %q", string(k))
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("%s record is not JSON: %w", k, err)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s record: %w", k, err)
	}
	return nil
}
