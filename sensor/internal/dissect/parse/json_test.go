// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestJSONMembers(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"1","b":{"c":2,"d":[true,"x"]}}`: "1a=1 2c=2 2d=… 3=true 3=x",
		`{ "a" : "1.0, "b" : 2, "c" : "3" }`:   "1a=1.0 1b=2 1c=3",
		`{"a":"1.0,"b":"2"}`:                   "1a=1.0 1b=2",
		`{"a":"1","b":"2`:                      "1a=1 1b=2",
		`{"a":"x, y","b":1}`:                   "1a=x, y 1b=1",
		`{"a":"say \"hi\", he said","b":1}`:    `1a=say \"hi\", he said 1b=1`,
		`{"a":"1" "b":2}`:                      "1a=1 1b=2",
		`{"a":","b":2}`:                        "1a= 1b=2",
	} {
		var got []string
		JSONMembers([]byte(text), func(depth int, key, value []byte) {
			got = append(got, fmt.Sprintf("%d%s=%s", depth, key, value))
		})
		if s := strings.Join(got, " "); s != strings.ReplaceAll(want, " 2d=…", "") {
			t.Errorf("%s: %s, want %s", text, s, want)
		}
	}
}

func TestUnescapeJSON(t *testing.T) {
	for text, want := range map[string]string{
		`a\/b\"c\\d`: `a/b"c\d`, `Gera\u00e7\u00e3o`: "Geração", `\u00zz\`: `u00zz\`, `a\nb`: "a b", `Geração`: "Geração",
	} {
		if got := string(UnescapeJSON(make([]byte, 0, 32), []byte(text))); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := UnescapeJSON(make([]byte, 0, 5), []byte(`abc\u00e7\u00e7`)); len(got) > 5 {
		t.Errorf("%q", got)
	}
}

func TestElement(t *testing.T) {
	for text, want := range map[string]string{
		`<?xml version="1.0"?><A><Mac> 1 </Mac></A>`: "1", `<d:MAC x="1">2</d:MAC>`: "2", `<MACs>3</MACs><MAC>4`: "4", `<MAC/>`: "", `<x>MAC</x>`: "", `<MAC`: "", `<MAC><b>5</b></MAC>`: "",
	} {
		if got := string(Element([]byte(text), "mac")); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	want := [6]byte{0, 0x11, 0x22, 0xaa, 0xbb, 0xcc}
	for _, text := range []string{"00:11:22:aa:bb:cc", "00-11-22-AA-BB-CC", "001122aabbcc", " 0011.22aa.bbcc "} {
		if got := MAC([]byte(text)); got != want {
			t.Errorf("%q: %x", text, got)
		}
	}
	for _, text := range []string{"", "00:11:22:aa:bb", "00:11:22:aa:bb:cc:dd", "00:11:22:aa:bb:cg"} {
		if got := MAC([]byte(text)); got != [6]byte{} {
			t.Errorf("%q: %x", text, got)
		}
	}
	for text, want := range map[string]string{"10.0.0.1": "10.0.0.1", " fe80::1": "fe80::1", "::": "invalid IP", "0.0.0.0": "invalid IP", "fe80::1%eth0": "invalid IP", "x": "invalid IP"} {
		if got := Addr([]byte(text)).String(); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func FuzzJSONMembers(f *testing.F) {
	f.Add([]byte(`{ "Version" : "1.0, "Channels" : 1 }`))
	f.Add([]byte(dissecttest.RPCLogin))
	f.Add([]byte(dissecttest.RPCChallenge))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		n := 0
		JSONMembers(b, func(_ int, key, value []byte) {
			n += len(key) + len(value)
			UnescapeJSON(make([]byte, 0, 16), value)
		})
		Element(b, "mac")
		MAC(b)
		Addr(b)
		if n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
	})
}
