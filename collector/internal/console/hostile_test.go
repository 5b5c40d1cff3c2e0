// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"stillwatch/collector/internal/auth"
	"stillwatch/schemas"
)

// attacks are strings that a device could send as its name, banner, domain, certificate …
var attacks = []struct{ name, text string }{
	{"element", `<script>alert(1)</script>`},
	{"attribute", `"><img src=x onerror=alert(1)> ' onmouseover='alert(1)`},
	{"url", `javascript:alert(1)`},
	{"template", `{{.}}{{template "layout"}}</title></textarea><svg/onload=alert(1)>`},
	{"comment", `--><!-- ]]> </style><style>*{display:none}</style>`},
	{"controls", "a\x00b\x1b[31m\x07\x08\rz\x7f\u0085"},
	{"bidi", "cam\u202egnp.exe\u2066x\u2069\u200f\u061c"},
	{"invisible", "a\u200b\u200d\ufeff\u00ad\u2060\u3164\U000e0041b"},
	{"lines", "one\ntwo\u2028three\u2029four"},
	{"marks", "z" + strings.Repeat("\u0301", 200)},
	{"broken", "\xff\xfe\xc3("},
	{"long", strings.Repeat("A", 10_240)},
}

// poison writes text into every string of v, at any depth, and makes absent parts present so that they are reached.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem(), text)
	case reflect.Struct:
		if plain[v.Type()] {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i), text)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.String {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			poison(v.Index(0), text)
			poison(v.Index(1), text)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{text: text, "deep": []any{map[string]any{text: text}}}))
	}
}

// TestHostileStrings: whatever stands in the fields of a record, no page holds it as markup, or as a character that cannot
// be seen or turns the writing, and none grows out of bounds.
func TestHostileStrings(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			b := newBench(t)
			alert, device := &schemas.Alert{}, &schemas.Device{}
			// JSON cannot carry bytes that are no UTF-8: this is what the wire can bring here.
			stored := throughJSON(t, a.text)
			poison(reflect.ValueOf(alert).Elem(), stored)
			poison(reflect.ValueOf(device).Elem(), stored)
			alert.ID, alert.Action, alert.Revision = alertID(1), "create", 1
			alert.Time.EventStart, device.LastSeen = at(0), at(1)
			b.apply(t, []*schemas.Alert{alert}, []*schemas.Device{device})
			c := b.as(t, auth.Admin)
			for _, path := range []string{
				"/", "/alerts", "/alerts/" + alert.ID, "/incidents", "/incidents/" + url.PathEscape(stored), "/devices", "/device?key=" + url.QueryEscape(stored),
				"/sensors", "/alerts?q=" + url.QueryEscape(stored[:min(len(stored), 400)]), "/alerts?device=" + url.QueryEscape(stored[:min(len(stored), 400)]),
				"/devices?q=" + url.QueryEscape(stored[:min(len(stored), 200)]),
			} {
				status, body := b.fetch(t, c, path)
				if status != 200 && !(status == 404 && strings.HasPrefix(path, "/incidents/")) {
					t.Errorf("%.80s: status %d", path, status)
				}
				harmlessPage(t, path, body)
			}
		})
	}
}

func throughJSON(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func harmlessPage(t *testing.T, path, body string) {
	t.Helper()
	for _, bad := range []string{"<script>", "<img", "<svg/", "<style", "<!--", "onerror=alert(1)>", `href="javascript`, ` onmouseover='`} {
		if strings.Contains(body, bad) {
			at := strings.Index(body, bad)
			t.Errorf("%.80s holds %q: …%.120q", path, bad, body[max(0, at-60):])
		}
	}
	// Form fields give back what was typed, and hold nothing of a record.
	shown := withoutValues(body)
	for i, r := range shown {
		if r != '\n' && r != '\t' && hidden(r) && r != '\u2009' {
			t.Errorf("%.80s shows U+%04X: …%q", path, r, shown[max(0, i-60):min(len(shown), i+20)])
			return
		}
	}
	if strings.Contains(shown, strings.Repeat("\u0301", maxMarks+1)) {
		t.Errorf("%.80s shows piled marks", path)
	}
	if len(body) > 600_000 {
		t.Errorf("%.80s is %d bytes", path, len(body))
	}
}

// withoutValues drops the value attributes of form fields.
func withoutValues(body string) string {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(body, ` value="`)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		_, body, _ = strings.Cut(after, `"`)
	}
}

func TestText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"plain", "plain"}, {"Überwachung 監視", "Überwachung 監視"},
		{"a\u202eb", "a⟨U+202E⟩b"}, {"a\x00b", "a⟨U+0000⟩b"}, {"a\nb", "a⟨U+000A⟩b"}, {"\xff", "⟨0xFF⟩"}, {"a\u00a0b", "a⟨U+00A0⟩b"},
		{"\ufffd", "\ufffd"}, {"e\u0301", "e\u0301"}, {strings.Repeat("x", 310), strings.Repeat("x", 300) + "… (and 10 more)"},
	} {
		if got := text(tc.in, shortText, false); got != tc.want {
			t.Errorf("text(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got := text("a\n\tb\r", 100, true); got != "a\n\tb⟨U+000D⟩" {
		t.Errorf("with lines: %q", got)
	}
}

type inner struct{ Name string }

// TestCleanReaches: Clean reaches every string, in embedded structs that are not exported too, and leaves its input alone.
func TestCleanReaches(t *testing.T) {
	type outer struct {
		inner
		P    *string
		L    []string
		A    [1]inner
		M    map[string]any
		I    any
		Keep verbatim
		Nil  *string
		N    []byte
	}
	bad := "\u202e"
	p := bad
	in := outer{inner{bad}, &p, []string{bad}, [1]inner{{bad}}, map[string]any{bad: []any{bad}}, inner{bad}, verbatim(bad), nil, []byte{1}}
	out := Clean(in)
	out.Keep = ""
	if text := fmt.Sprint(out, *out.P); strings.Contains(text, bad) {
		t.Errorf("left: %q", text)
	}
	if in.L[0] != bad || *in.P != bad || in.Name != bad {
		t.Error("the input was changed")
	}
	var nothing any
	if Clean(nothing) != nil {
		t.Error("nil is not nil")
	}
	type loop struct{ Next any }
	var deep any = bad
	for range 1000 {
		deep = loop{deep}
	}
	if text := fmt.Sprint(Clean(deep)); strings.Contains(text, bad) {
		t.Error("left in the deep")
	}
}
