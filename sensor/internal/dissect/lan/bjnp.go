// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bjnp",
	Signs: "`BJNP` or `MFNP`, length of the datagram",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 200, First: "BBMM", Looks: LooksBJNP, New: BJNP.New},
	},
})

// BJNP is the protocol of Canon's printers and scanners, on UDP ports 8610 to 8612 (sane-backends, backend/pixma/bjnp_private.h): BJNP, device,
// command, a number, a session, the length of the rest. Newer programs write MFNP.
var BJNP = announce.Protocol{Name: "bjnp", Info: bjnpInfo}

const bjnpHead = 16

// LooksBJNP recognizes the magic number and the length of the datagram.
func LooksBJNP(b []byte, _ dissect.Ports) bool {
	return len(b) >= bjnpHead && match.AnyPrefix(b, "BJNP", "MFNP") == match.Yes && uint64(binary.BigEndian.Uint32(b[12:])) == uint64(len(b)-bjnpHead)
}

// bjnpInfo reads the answer to the request for the identity: its length, then fields of IEEE 1284 as MFG:Canon;MDL:MX850 series;
func bjnpInfo(b []byte) *dissect.DeviceInfo {
	const answer, getID, lengthLen = 0x80, 0x30, 2
	if len(b) < bjnpHead+lengthLen || b[4]&answer == 0 || b[5] != getID {
		return nil
	}
	d := &dissect.DeviceInfo{}
	for rest := b[bjnpHead+lengthLen:]; len(rest) > 0; {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte(";"))
		switch name, value, _ := bytes.Cut(field, []byte(":")); string(name) {
		case "MFG":
			d.Vendor = announce.Text(value)
		case "MDL":
			d.Model = announce.Text(value)
		case "CLS":
			d.Class = announce.Text(value)
		}
	}
	if d.Vendor == "" || d.Model == "" {
		return nil
	}
	return d
}
