// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"stillwatch/internal/testlab/mutate"
)

func validators(t testing.TB) map[Kind]validator {
	t.Helper()
	m, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFastPathAcceptsExamples checks that the fast path is used for normal records.
func TestFastPathAcceptsExamples(t *testing.T) {
	for k, line := range samples(t) {
		if !ValidFast(k, line) {
			t.Errorf("the fast path does not accept the example of %s", k)
		}
	}
	if ValidFast("incident", []byte(`{}`)) {
		t.Error("the fast path accepts an unknown kind")
	}
}

// TestFastPathSupportsSchemas fails when a schema uses a keyword that the fast path does not support.
func TestFastPathSupportsSchemas(t *testing.T) {
	made := checks{}
	for _, j := range validators(t) {
		made.of(j.schema)
	}
	for s, c := range made {
		if c == unsupported {
			t.Errorf("the fast path does not support %s", s.Location)
		}
	}
}

// changes returns lines that differ from a valid one in one place each.
func changes(line string) (all []string) {
	for i := 0; i < len(line); i += 1 + len(line)/300 {
		all = append(all, line[:i], line[:i]+line[i+1:])
		for _, b := range []string{`"`, `\`, `0`, `-`, `.`, `,`, ` `, `}`, `]`, `{`, "\x00", "\xff", "A", "é"} {
			all = append(all, line[:i]+b+line[i+1:], line[:i]+b+line[i:])
		}
	}
	for _, c := range [][2]string{
		{`"loss_ratio":0`, `"loss_ratio":1.0000000000000000000001`}, {`"loss_ratio":0`, `"loss_ratio":0.99999999999999999999999`},
		{`"loss_ratio":0`, `"loss_ratio":-0.0000001`}, {`"loss_ratio":0`, `"loss_ratio":1e0`}, {`"loss_ratio":0`, `"loss_ratio":1.`},
		{`"revision":2`, `"revision":2.0`}, {`"revision":2`, `"revision":2e3`}, {`"revision":2`, `"revision":99999999999999999999`}, {`"revision":2`, `"revision":02`},
		{`"replay":true`, `"replay":"true"`}, {`"replay":true`, `"replay":true,"replay":1`}, {`"replay":true`, `"repl\u0061y":true`},
		{`"data":{"sessions":3}`, `"data":{}`}, {`"data":{"sessions":3}`, `"data":{"a":[}`}, {`"data":{"sessions":3}`, `"data":{"a":"]}"}`},
		{`"data":{"sessions":3}`, `"data":[]`}, {`"data":{"sessions":3}`, `"data":{"a":{"b":[1,{}]}}`},
		{`"ip":"10.20.10.17"`, `"ip":"fe80::1%eth0"`}, {`"ip":"10.20.10.17"`, `"ip":"::ffff:1.2.3.4"`}, {`"ip":"10.20.10.17"`, `"ip":"010.20.10.17"`},
		{`"title":"`, `"title":"` + strings.Repeat("é", 360)}, {`"title":"`, `"title":"` + strings.Repeat("é", 401)}, {`"title":"`, `"title":"\ud800`},
		{`"severity":"high"`, `"severity":"hi\u0067h"`}, {`"entities":[`, `"entities":["`}, {`{"schema"`, `{ "schema"`},
	} {
		all = append(all, strings.Replace(line, c[0], c[1], 1))
	}
	return all
}

// agree fails the test if the fast path accepts a line that the library rejects. It reports whether the fast path accepts it.
func agree(t *testing.T, j validator, k Kind, line []byte) bool {
	t.Helper()
	if !j.fast.line(string(line)) {
		return false
	}
	if err := j.full(k, line); err != nil {
		t.Errorf("the fast path accepts a line that the library rejects: %v\n%s", err, line)
	}
	return true
}

func TestFastPathAgreesWithLibrary(t *testing.T) {
	for k, line := range samples(t) {
		accepted, all := 0, changes(string(line))
		for _, s := range all {
			if agree(t, validators(t)[k], k, []byte(s)) {
				accepted++
			}
		}
		t.Logf("%s: accepted %d of %d changed lines", k, accepted, len(all))
		if accepted == 0 || accepted == len(all) {
			t.Error("the changed lines do not test the fast path")
		}
	}
}

// FuzzValidFast checks that the fast path never accepts what the library rejects.
func FuzzValidFast(f *testing.F) {
	for _, k := range Kinds() {
		b, err := os.ReadFile(filepath.Join("testdata", string(k)+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(k), bytes.TrimSpace(b))
	}
	mutate.Fuzz(f, func(t *testing.T, kind string, line []byte) {
		if j, ok := validators(t)[Kind(kind)]; ok && len(line) < 1<<16 {
			agree(t, j, Kind(kind), line)
		}
	})
}

// TestFastPathUnsupportedKeywords checks schemas with keywords that the fast path does not support: it must accept no value.
func TestFastPathUnsupportedKeywords(t *testing.T) {
	for schema, values := range map[string][]string{
		`{"type":"string","format":"date"}`:                                               {`"x"`},
		`{"type":"string","not":{"const":"x"}}`:                                           {`"x"`},
		`{"type":["string","null"]}`:                                                      {`"x"`, `null`},
		`{"type":"array","items":{"type":"string"},"uniqueItems":true}`:                   {`["x"]`},
		`{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"string"}}`:    {`["x"]`},
		`{"type":"object","properties":{"a":{"type":"string"}}}`:                          {`{"a":"x"}`},
		`{"type":"object","additionalProperties":false,"properties":{},"required":["a"]}`: {`{}`},
		`{"type":"object","minProperties":1}`:                                             {`{"a":1}`},
		`{"type":"integer","multipleOf":2}`:                                               {`2`},
		`{"type":"number","minimum":0.5}`:                                                 {`1`},
		`{"type":"integer","exclusiveMaximum":5}`:                                         {`5`},
		`{"enum":[1]}`: {`1`},
		`{"const":1}`:  {`1`},
		`true`:         {`1`},
		`{"$defs":{"a":{"type":"string"}},"$ref":"#/$defs/a","type":"string","maxLength":0}`: {`"x"`},
	} {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
		if err == nil {
			err = c.AddResource("urn:test", doc)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("urn:test")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if (checks{}).of(s).line(v) {
				t.Errorf("%s: accepts %s", schema, v)
			}
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	line, err := os.ReadFile("testdata/alert.json")
	if err != nil {
		b.Fatal(err)
	}
	line = bytes.TrimSpace(line)
	for name, f := range map[string]func() error{
		"fast": func() error { return Validate(KindAlert, line) },
		"full": func() error { return validators(b)[KindAlert].full(KindAlert, line) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
