// SPDX-License-Identifier: Apache-2.0

package sanitize

import (
	"fmt"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"plain", "plain"}, {"Überwachung 監視", "Überwachung 監視"},
		{"a\u202eb", "a⟨U+202E⟩b"}, {"a\x00b", "a⟨U+0000⟩b"}, {"a\nb", "a⟨U+000A⟩b"}, {"\xff", "⟨0xFF⟩"}, {"a\u00a0b", "a⟨U+00A0⟩b"},
		{"\ufffd", "\ufffd"}, {"e\u0301", "e\u0301"}, {strings.Repeat("x", 310), strings.Repeat("x", 300) + "… (and 10 more)"},
	} {
		if got := Text(tc.in, maxShort, false); got != tc.want {
			t.Errorf("Text(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got := Text("a\n\tb\r", 100, true); got != "a\n\tb⟨U+000D⟩" {
		t.Errorf("with lines: %q", got)
	}
}

type inner struct{ Name string }

// TestValue checks that Value sanitizes every string, also in unexported embedded structs, and does not change its input.
func TestValue(t *testing.T) {
	type outer struct {
		inner
		P    *string
		L    []string
		A    [1]inner
		M    map[string]any
		I    any
		Keep Verbatim
		Nil  *string
		N    []byte
	}
	bad := "\u202e"
	p := bad
	in := outer{inner{bad}, &p, []string{bad}, [1]inner{{bad}}, map[string]any{bad: []any{bad}}, inner{bad}, Verbatim(bad), nil, []byte{1}}
	out := Value(in)
	out.Keep = ""
	if text := fmt.Sprint(out, *out.P); strings.Contains(text, bad) {
		t.Errorf("not sanitized: %q", text)
	}
	if in.L[0] != bad || *in.P != bad || in.Name != bad {
		t.Error("the input was changed")
	}
	var nothing any
	if Value(nothing) != nil {
		t.Error("nil is not nil")
	}
	type loop struct{ Next any }
	var deep any = bad
	for range 1000 {
		deep = loop{deep}
	}
	if text := fmt.Sprint(Value(deep)); strings.Contains(text, bad) {
		t.Error("deeply nested string not sanitized")
	}
}
