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

// judge has what a kind of record is held against.
type judge struct {
	schema  *jsonschema.Schema
	certain *check
}

var compiled = sync.OnceValues(func() (map[Kind]judge, error) {
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
	m, made := map[Kind]judge{}, checks{}
	for _, k := range Kinds() {
		s, err := c.Compile(url(k))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", k, err)
		}
		m[k] = judge{s, made.of(s)}
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
	j, ok := m[k]
	if !ok {
		return fmt.Errorf("no schema of the kind %q", string(k))
	}
	if j.certain.line(string(line)) {
		return nil
	}
	return j.judge(k, line)
}

// Certain reports whether it is known without the library, in a tenth of its time, that a line is valid. If it is not, Validate decides.
func Certain(k Kind, line []byte) bool {
	m, err := compiled()
	return err == nil && m[k].certain != nil && m[k].certain.line(string(line))
}

// judge lets the library decide.
func (j judge) judge(k Kind, line []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("%s record is not JSON: %w", k, err)
	}
	if err := j.schema.Validate(v); err != nil {
		return fmt.Errorf("%s record: %w", k, err)
	}
	return nil
}
