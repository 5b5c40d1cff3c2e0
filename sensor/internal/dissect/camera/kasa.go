// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "kasa",
	Signs: "start and end of JSON whose bytes are combined with the one before",
	Reads: "identity",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 270, Looks: LooksKasaStream, New: NewKasa},
	},
	Datagrams: []protocol.Datagram{
		{Order: 210, First: "\xd0\xd0", Looks: LooksKasa, New: Kasa.New},
	},
})

// Kasa is the protocol of TP-Link's cameras, plugs and lamps, on port 9999: JSON of which each byte is combined with the one before (softScheck,
// tplink-smartplug). UDP is for the search.
var Kasa = announce.Protocol{Name: "kasa", Info: kasaInfo}

const (
	kasaKey     = 171
	kasaLength  = 4 // bytes of the length before a message over TCP
	kasaLongest = 8192
	kasaMost    = 8 // messages that are read of a side
)

// LooksKasa recognizes a message over UDP.
func LooksKasa(b []byte, _ dissect.Ports) bool {
	return len(b) > 4 && looksKasaText(b) == match.Yes && kasaEnds(b)
}

// looksKasaText reports whether b begins as JSON does in this protocol: an object with a member, or an empty one.
func looksKasaText(b []byte) match.Verdict { return match.AnyPrefix(b, "\xd0\xf2", "\xd0\xad") }

// kasaEnds reports whether a whole message ends with its object.
func kasaEnds(b []byte) bool {
	last := b[len(b)-1] ^ b[len(b)-2]
	return last == '}' || last == '\n'
}

// LooksKasaStream recognizes a message behind its length.
func LooksKasaStream(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if v := match.Prefix(head, "\x00\x00"); v != match.Yes {
		return v
	}
	if len(head) <= kasaLength {
		return match.Maybe
	}
	v := looksKasaText(head[kasaLength:])
	if v == match.Yes {
		return match.If(binary.BigEndian.Uint32(head) <= kasaLongest)
	}
	return v
}

// kasaStream reads the protocol over TCP.
type kasaStream struct{ pos, count [2]int }

// NewKasa returns a dissector of the protocol over TCP.
func NewKasa() dissect.Stream { return new(kasaStream) }

// Feed reads what a device says of itself; see dissect.Stream.
func (k *kasaStream) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	for k.count[dir] < kasaMost {
		at := k.pos[dir]
		if len(head) < at+kasaLength {
			return at + kasaLength
		}
		size := binary.BigEndian.Uint32(head[at:])
		end := at + kasaLength + int(min(size, dissect.HeadLimit))
		switch {
		case size > kasaLongest || end > dissect.HeadLimit:
			return 0
		case len(head) < end:
			return end
		}
		if info := kasaInfo(head[at+kasaLength : end]); info != nil {
			info.Protocol = Kasa.Name
			sink(info)
			return 0
		}
		k.pos[dir] = end
		k.count[dir]++
	}
	return 0
}

// kasaInfo reads the answer to get_sysinfo. Cameras have their information one object deeper.
func kasaInfo(b []byte) *dissect.DeviceInfo {
	if len(b) > kasaLongest {
		return nil
	}
	text := make([]byte, len(b))
	key := byte(kasaKey)
	for i, c := range b {
		text[i], key = c^key, c
	}
	d := &dissect.DeviceInfo{Vendor: "TP-Link"}
	parse.JSONMembers(text, func(_ int, name, value []byte) {
		switch {
		case parse.FoldEqual(name, "model"):
			d.Model = announce.JSONText(value)
		case parse.FoldEqual(name, "type"), parse.FoldEqual(name, "mic_type"):
			d.Class = announce.JSONText(value)
		case parse.FoldEqual(name, "alias"):
			d.Name = announce.JSONText(value)
		case parse.FoldEqual(name, "mac"), parse.FoldEqual(name, "mic_mac"):
			d.MAC = parse.MAC(value)
		case parse.FoldEqual(name, "sw_ver"):
			d.Firmware, d.FirmwareDate = announce.JSONText(value), announce.BuildDate(value)
		}
	})
	if d.Model == "" || d.Firmware == "" {
		return nil
	}
	return d
}
