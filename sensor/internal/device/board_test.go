// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

func TestBoard(t *testing.T) {
	espressif, axis := packet.MAC{0x24, 0x0a, 0xc4, 0, 0, 1}, mac(1)
	for _, tt := range []struct {
		mac          packet.MAC
		vendor, want string
	}{
		{axis, "Axis", ""}, {axis, "AXIS", ""}, {axis, "Lorex", "Axis"}, {espressif, "", "Espressif"}, {espressif, "Shelly", "Espressif"},
		{packet.MAC{}, "Axis", ""}, {packet.MAC{2, 0, 0, 0, 0, 1}, "Axis", ""},
	} {
		if got := (&Device{MAC: tt.mac, Vendor: tt.vendor}).Board(); got != tt.want {
			t.Errorf("%v %q: board %q, want %q", tt.mac, tt.vendor, got, tt.want)
		}
	}
}
