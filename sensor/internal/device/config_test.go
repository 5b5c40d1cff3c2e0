// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// Known devices get names and lose them, and others are declared.
func TestReconfigure(t *testing.T) {
	r := New(Config{Named: []Named{{Name: "old-cam", MAC: mac(1)}}})
	for _, k := range []talk{
		{from: "10.0.0.1", fromMAC: mac(1), to: "10.0.0.2", toMAC: mac(2), port: 80, answered: true, at: 1000},
		{from: "10.0.0.3", fromMAC: mac(3), to: "10.0.0.2", toMAC: mac(2), port: 80, answered: true, at: 1001},
	} {
		play(r, k)
	}
	if got, want := keys(r), []string{"mac:00:40:8c:00:00:02", "mac:00:40:8c:00:00:03", "old-cam"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if !r.Internal(netip.MustParseAddr("10.1.0.1")) || r.Internal(netip.MustParseAddr("198.51.100.1")) {
		t.Fatal("the networks are not the default")
	}
	first := r.ByKey("mac:00:40:8c:00:00:02")
	version := first.Version
	r.Reconfigure(Config{
		Named:     []Named{{Name: "server", IP: netip.MustParseAddr("10.0.0.2")}},
		WatchMACs: []packet.MAC{mac(3)}, Watch: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}, Internal: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
	})
	if got, want := keys(r), []string{"mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:03", "server"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if d := r.ByKey("server"); d != first || d.Version == version || !d.Declared || d.FirstSeen == 0 {
		t.Errorf("the server is %+v", d)
	}
	if r.ByKey("mac:00:40:8c:00:00:01").Declared || !r.ByKey("mac:00:40:8c:00:00:03").Declared {
		t.Error("declared are others than were declared")
	}
	if r.Internal(netip.MustParseAddr("10.1.0.1")) || !r.Internal(netip.MustParseAddr("10.0.0.9")) || !r.Internal(netip.MustParseAddr("198.51.100.1")) {
		t.Error("the networks are not those of the new configuration")
	}
	_, b := play(r, talk{from: "10.0.0.1", fromMAC: mac(1), to: "10.0.0.2", toMAC: mac(2), port: 80, answered: true, at: 1002})
	if b != first || len(r.All()) != 3 {
		t.Errorf("the next session is with %q; there are %q", keyOf(b), keys(r))
	}
}
