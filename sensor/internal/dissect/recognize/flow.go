// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ipfix",
	Signs: "version 10, length of the datagram, sets to its end",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 530, First: "\x00\x00", Looks: LooksIPFIX},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "netflow",
	Signs: "version 5 or 9, records or sets to the end of the datagram",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 520, First: "\x00\x00", Looks: LooksNetFlow},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "sflow",
	Signs: "version 5, address of the agent, first sample",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 510, First: "\x00\x00", Looks: LooksSFlow},
	},
})

// flowEpoch is the first day of 2000 in seconds since 1970: an exporter with a clock sends later times.
const flowEpoch = 946684800

// LooksSFlow recognizes a datagram of sFlow 5 (sFlow version 5, section 5): version, address of the agent, samples, of which the first fits.
func LooksSFlow(b []byte, _ dissect.Ports) bool {
	const ipv4, ipv6, maxSamples = 1, 2, 512
	if len(b) < 28 || string(b[:7]) != "\x00\x00\x00\x05\x00\x00\x00" || b[7] != ipv4 && b[7] != ipv6 {
		return false
	}
	at := 12 // of the number of the agent
	if b[7] == ipv6 {
		at = 24
	}
	at += 12
	if len(b) < at+4 {
		return false
	}
	samples := binary.BigEndian.Uint32(b[at:])
	if samples == 0 {
		return len(b) == at+4
	}
	return samples <= maxSamples && len(b) >= at+12 && int64(binary.BigEndian.Uint32(b[at+8:])) <= int64(len(b)-at-12)
}

// LooksNetFlow recognizes an export of NetFlow 5, whose records fill the datagram, or of version 9, whose sets do (RFC 3954 section 5).
func LooksNetFlow(b []byte, _ dissect.Ports) bool {
	const headLen5, recordLen5, maxRecords5, headLen9, firstOptions = 24, 48, 30, 20, 1
	if len(b) < headLen5 || b[0] != 0 || b[1] != 5 && b[1] != 9 || binary.BigEndian.Uint32(b[8:]) < flowEpoch {
		return false
	}
	if b[1] == 5 {
		records := int(binary.BigEndian.Uint16(b[2:]))
		return records > 0 && records <= maxRecords5 && len(b) == headLen5+records*recordLen5
	}
	return flowSets(b[headLen9:], 0, firstOptions)
}

// LooksIPFIX recognizes a message whose length is that of the datagram and whose sets fill it (RFC 7011 section 3.1).
func LooksIPFIX(b []byte, _ dissect.Ports) bool {
	const headLen, template, options = 16, 2, 3
	return len(b) > headLen && b[0] == 0 && b[1] == 10 && int(binary.BigEndian.Uint16(b[2:])) == len(b) &&
		binary.BigEndian.Uint32(b[4:]) >= flowEpoch && flowSets(b[headLen:], template, options)
}

// flowSets reports whether sets fill b: id and length. An id is that of templates, of templates of options, or of data (256 and above).
func flowSets(b []byte, template, options uint16) bool {
	const headLen, data = 4, 256
	for len(b) >= headLen {
		id, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if id != template && id != options && id < data || size < headLen || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}
