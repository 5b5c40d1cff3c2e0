// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func judges(t testing.TB) map[Kind]judge {
	t.Helper()
	m, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCertainOfExamples keeps the quick way in use.
func TestCertainOfExamples(t *testing.T) {
	for k, line := range samples(t) {
		if !Certain(k, line) {
			t.Errorf("not certain of the example of %s", k)
		}
	}
	if Certain("incident", []byte(`{}`)) {
		t.Error("certain of a kind that is not known")
	}
}

// TestNothingOfTheSchemasIsUnknown fails when a schema gets a keyword that only the library knows: every line would go the slow way.
func TestNothingOfTheSchemasIsUnknown(t *testing.T) {
	made := checks{}
	for _, j := range judges(t) {
		made.of(j.schema)
	}
	for s, c := range made {
		if c == unsure {
			t.Errorf("nothing is certain of %s", s.Location)
		}
	}
}

// changes gives lines that differ from a good one in one place each.
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

// agree fails the test if the check is certain of a line that the library refuses. It reports whether it is certain.
func agree(t *testing.T, j judge, k Kind, line []byte) bool {
	t.Helper()
	if !j.certain.line(string(line)) {
		return false
	}
	if err := j.judge(k, line); err != nil {
		t.Errorf("certain of a line that the library refuses: %v\n%s", err, line)
	}
	return true
}

func TestCertaintyAgreesWithTheLibrary(t *testing.T) {
	for k, line := range samples(t) {
		certain, all := 0, changes(string(line))
		for _, s := range all {
			if agree(t, judges(t)[k], k, []byte(s)) {
				certain++
			}
		}
		t.Logf("%s: certain of %d of %d changed lines", k, certain, len(all))
		if certain == 0 || certain == len(all) {
			t.Error("that tells nothing")
		}
	}
}

// FuzzCertain holds the check against the library: never certain of what the library refuses.
func FuzzCertain(f *testing.F) {
	for _, k := range Kinds() {
		b, err := os.ReadFile(filepath.Join("testdata", string(k)+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(k), bytes.TrimSpace(b))
	}
	f.Fuzz(func(t *testing.T, kind string, line []byte) {
		if j, ok := judges(t)[Kind(kind)]; ok && len(line) < 1<<16 {
			agree(t, j, Kind(kind), line)
		}
	})
}

// TestUnknownKeywords gives schemas of which nothing may be certain, whatever the value.
func TestUnknownKeywords(t *testing.T) {
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
				t.Errorf("%s: certain of %s", schema, v)
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
		"certain": func() error { return Validate(KindAlert, line) },
		"library": func() error { return judges(b)[KindAlert].judge(KindAlert, line) },
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
