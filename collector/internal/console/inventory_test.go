// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/schemas"
)

func TestProposedEntry(t *testing.T) {
	at := schemas.Time(1)
	mac := schemas.MAC{0x3c, 0xef, 0x8c, 0, 1, 1}
	serves := []schemas.Service{{Port: 554, Proto: "tcp"}}
	for _, c := range []struct {
		what string
		d    schemas.Device
		want string // "" for none
	}{
		{"a camera that answers", schemas.Device{MAC: mac, Role: "camera", Vendor: "Dahua", Serves: serves}, "- name: \"camera-dahua-000101\"\n  match: {mac: \"3c:ef:8c:00:01:01\"}\n  expect: server_only"},
		{"a silent host", schemas.Device{MAC: mac, Role: "unknown", Hostnames: []string{"srv-7"}}, "- name: \"srv-7\"\n  match: {mac: \"3c:ef:8c:00:01:01\"}\n  expect: silent"},
		{"a recorder that opens sessions", schemas.Device{MAC: mac, Role: "nvr", LastOrigination: &at, Serves: serves}, "- name: \"nvr-000101\"\n  match: {mac: \"3c:ef:8c:00:01:01\"}\n  expect: allowlist"},
		{"a phone", schemas.Device{IPs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}, Role: "phone", LastOrigination: &at}, "- name: \"phone-10-0-0-5\"\n  match: {ip: \"10.0.0.5\"}\n  expect: normal"},
		{"a name from an attacker", schemas.Device{MAC: mac, Hostnames: []string{"a\"\nexpect: normal\x1b\u202e"}}, "- name: \"a\\\"\\nexpect: normal\\x1b\\u202e\"\n  match: {mac: \"3c:ef:8c:00:01:01\"}\n  expect: silent"},
		{"a device of the inventory", schemas.Device{MAC: mac, ExpectSource: "inventory"}, ""},
		{"neither MAC nor address", schemas.Device{Role: "camera"}, ""},
	} {
		got := propose(&c.d)
		switch {
		case got == nil && c.want != "", got != nil && got.YAML != c.want:
			t.Errorf("%s: %+v, want %q", c.what, got, c.want)
		case got != nil && !strings.HasSuffix(got.Reason, "."):
			t.Errorf("%s: reason %q", c.what, got.Reason)
		}
	}
}
