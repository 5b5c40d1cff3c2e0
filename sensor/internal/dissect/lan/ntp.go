// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ntp",
	Signs: "version and mode; without the port, all fields in range",
	Ports: "123 for control messages",
	Reads: "version, mode, stratum",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 670, Looks: LooksNTP, New: NewNTP},
	},
})

// maxNTP is how many messages of a session are read: later ones bring nothing new.
const maxNTP = 8

// ntpDatagrams reads NTP and SNTP (RFC 5905): client, server and the two control modes.
type ntpDatagrams struct{ count int }

// LooksNTP needs the port, because little else of a packet is fixed. On other ports it accepts only a full packet with
// every field in its range.
func LooksNTP(b []byte, ports dissect.Ports) bool {
	const full = 48
	if len(b) < 4 {
		return false
	}
	version, mode := b[0]>>3&7, b[0]&7
	if version == 0 || version > 4 || mode == 0 {
		return false
	}
	switch mode {
	case 6:
		return ports.Has(123) && len(b) >= 12 && b[1]&0x1f <= 12
	case 7:
		return ports.Has(123) && len(b) >= 8
	}
	if len(b) < full || b[1] > 16 {
		return false
	}
	if ports.Has(123) {
		return true
	}
	// On other ports: a full packet, poll and precision in range, and times of this era.
	poll, precision := int8(b[2]), int8(b[3])
	return len(b) == full && version >= 3 && (mode == 3 || mode == 4) && poll >= 0 && poll <= 17 &&
		precision <= 0 && precision >= -32 && b[40] >= 0xb0 && (mode == 3 || b[1] > 0 && b[32] >= 0xb0)
}

// NewNTP returns a dissector of NTP.
func NewNTP() dissect.Datagrams { return new(ntpDatagrams) }

func (n *ntpDatagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	n.count++
	if len(data) >= 4 {
		m := &dissect.NTPMessage{Version: data[0] >> 3 & 7, Mode: data[0] & 7}
		if m.Mode < 6 {
			m.Stratum = data[1]
		}
		if m.Mode != 0 {
			sink(m)
		}
	}
	return n.count < maxNTP
}
