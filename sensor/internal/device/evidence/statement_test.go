// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"strconv"
	"strings"
	"testing"
)

// Values share slots of the cache: each must still get what the table says of it.
func TestLookupAgreesWithTheTable(t *testing.T) {
	c := NewCache()
	texts := []string{"Hikvision-Webs", "hik-connect.com", "api.hik-connect.com", "unknown.example", "GET / \x01", strings.Repeat("x", maxRecent) + "Hikvision-Webs",
		strings.Repeat("y", maxRecent-1), "Sonos/57.3", "lighttpd"}
	for i := range 4 * recentSlots {
		texts = append(texts, "host"+strconv.Itoa(i)+".hik-connect.com")
	}
	known := 0
	for range 2 {
		for i := range 8 * len(texts) {
			src, text := Source(i%int(numSources)), texts[i%9]
			if i%2 == 0 {
				text = texts[i%len(texts)]
			}
			f := rules().match(src, Clean(text))
			st := c.Lookup(src, text)
			if (st == nil) != (f.rule == nil) || st != nil && (st.source != src || (found{st.rule, st.vendor, st.model, st.firmware}) != f || st.value != Clean(text)) {
				t.Fatalf("%v %q: %+v, the table says %+v", src, text, st, f)
			}
			if st != nil {
				known++
			}
		}
	}
	if known == 0 {
		t.Error("the table knows none of the texts")
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", " space ": "space", "a\x00b\nc": "a.b.c", "\xff\xfe": "..", strings.Repeat("x", 500): strings.Repeat("x", 96),
		strings.Repeat("é", 200): strings.Repeat("é", 48), "": "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
