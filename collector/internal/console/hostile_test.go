// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sanitize"
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

// fillStrings writes text into every string of v, at any depth, and allocates pointers and slices.
func fillStrings(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillStrings(v.Elem(), text)
	case reflect.Struct:
		if t := v.Type(); t == reflect.TypeFor[netip.Addr]() || t == reflect.TypeFor[schemas.MAC]() {
			return
		}
		for i := range v.NumField() {
			fillStrings(v.Field(i), text)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.String {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fillStrings(v.Index(0), text)
			fillStrings(v.Index(1), text)
		}
	case reflect.Map:
		if t := v.Type(); t.Elem().Kind() != reflect.Interface {
			v.Set(reflect.MakeMap(t))
			v.SetMapIndex(reflect.ValueOf(text).Convert(t.Key()), reflect.Zero(t.Elem()))
			return
		}
		v.Set(reflect.ValueOf(map[string]any{text: text, "deep": []any{map[string]any{text: text}}}))
	}
}

// TestHostileStrings checks that text in records never appears as markup or as invisible or bidirectional characters, and that pages stay
// small.
func TestHostileStrings(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			b := newFixture(t)
			alert, device := &schemas.Alert{}, &schemas.Device{}
			// JSON cannot encode invalid UTF-8, so this is what arrives from the network.
			stored := throughJSON(t, a.text)
			fillStrings(reflect.ValueOf(alert).Elem(), stored)
			fillStrings(reflect.ValueOf(device).Elem(), stored)
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
				checkPage(t, path, body)
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

func checkPage(t *testing.T, path, body string) {
	t.Helper()
	for _, bad := range []string{"<script>", "<img", "<svg/", "<style", "<!--", "onerror=alert(1)>", `href="javascript`, ` onmouseover='`} {
		if strings.Contains(body, bad) {
			at := strings.Index(body, bad)
			t.Errorf("%.80s holds %q: …%.120q", path, bad, body[max(0, at-60):])
		}
	}
	// Form fields contain user input unchanged, and nothing of a record.
	shown := withoutValues(body)
	for i, r := range shown {
		if r != '\n' && r != '\t' && sanitize.Hidden(r) && r != '\u2009' {
			t.Errorf("%.80s shows U+%04X: …%q", path, r, shown[max(0, i-60):min(len(shown), i+20)])
			return
		}
	}
	if strings.Contains(shown, strings.Repeat("\u0301", sanitize.MaxMarks+1)) {
		t.Errorf("%.80s shows too many combining marks", path)
	}
	if len(body) > 600_000 {
		t.Errorf("%.80s is %d bytes", path, len(body))
	}
}

// withoutValues removes the value attributes of form fields.
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
