// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// A device with several addresses is named by the one that the session was of, whichever was bound last.
func TestDeviceIsNamedByTheAddressOfTheSession(t *testing.T) {
	first, last := netip.MustParseAddr("10.20.30.40"), netip.MustParseAddr("10.20.30.41")
	d := &device.Device{Key: "mac:02:00:5e:60:00:01", IPs: []netip.Addr{first, last}}
	e := &Event{Initiator: d, Responder: d, Session: &session.View{
		Initiator: session.Endpoint{Addr: packet.AddrOf(first)}, Responder: session.Endpoint{Addr: packet.AddrOf(last)}}}
	tests := map[string]string{
		e.who(session.Out): "device 10.20.30.40",
		e.who(session.In):  "device 10.20.30.41",
		Label(d):           "device 10.20.30.41",
		(&Finding{Device: d, DeviceAddr: first}).Who():     "device 10.20.30.40",
		(&Finding{Device: d}).Who():                        "device 10.20.30.41",
		(&Finding{}).Who():                                 "the network",
		peerLabel(&Peer{Device: d, IP: first.String()}):    "device 10.20.30.40",
		(&Event{Session: e.Session}).who(session.Out):      "the network",
		labelAt(&device.Device{Key: "hall camera"}, first): "hall camera",
	}
	for got, want := range tests {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
