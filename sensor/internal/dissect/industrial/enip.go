// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "enip",
	Signs: "registration of a session; list of services or identity; cyclic data",
	Ports: "44818 for lists",
	Reads: "identity: vendor, class, model, serial number, firmware",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 530, Looks: LooksENIP, New: NewENIP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 360, Ports: []uint16{44818}, Looks: LooksENIPDatagram, New: NewENIPDatagrams},
		{Order: 480, First: "\x02\x02", Looks: LooksCIPIO},
	},
})

// The encapsulation header of EtherNet/IP (CIP volume 2, chapter 2): command, length of the rest, session, status, context of the sender,
// options. Numbers are little-endian.
const (
	enipHeadLen = 24
	enipPort    = 44818

	enipListServices   = 0x04
	enipListIdentity   = 0x63
	enipListInterfaces = 0x64
	enipRegister       = 0x65
)

// LooksENIP recognizes the registration of a session, with which a client begins, on any port, and other commands on the port of
// EtherNet/IP.
func LooksENIP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const register = "\x65\x00\x04\x00"
	v := match.Prefix(head, register)
	switch {
	case v == match.Yes && len(head) < enipHeadLen+4, v != match.No && len(head) < 4:
		return match.Maybe
	case v == match.Yes:
		return match.If(string(head[8:12]) == "\x00\x00\x00\x00" && string(head[20:28]) == "\x00\x00\x00\x00\x01\x00\x00\x00")
	case !ports.Has(enipPort):
		return match.No
	case len(head) < enipHeadLen:
		return match.Maybe
	}
	return match.If(enipHeader(head))
}

// LooksENIPDatagram recognizes the requests for services and identity, and their answers. The table binds it to the port.
func LooksENIPDatagram(b []byte, _ dissect.Ports) bool {
	return len(b) >= enipHeadLen && enipHeader(b) && int(binary.LittleEndian.Uint16(b[2:])) == len(b)-enipHeadLen
}

// enipHeader reports whether the command is known and the options are zero, as they must be.
func enipHeader(b []byte) bool {
	switch binary.LittleEndian.Uint16(b) {
	case enipListServices, enipListIdentity, enipListInterfaces, enipRegister, 0x66, 0x6f, 0x70, 0x72, 0x73:
		return string(b[20:24]) == "\x00\x00\x00\x00"
	}
	return false
}

// LooksCIPIO recognizes the cyclic data of EtherNet/IP (CIP volume 2, section 2-6): two items, a sequenced address of 8 bytes and connected
// data that fill the datagram.
func LooksCIPIO(b []byte, _ dissect.Ports) bool {
	const addressed = "\x02\x00\x02\x80\x08\x00"
	return len(b) >= 18 && string(b[:6]) == addressed && string(b[14:16]) == "\xb1\x00" && int(binary.LittleEndian.Uint16(b[16:])) == len(b)-18
}

// enip reads the identity with which a device answers. It keeps nothing: of a stream it reads the first message of each direction.
type enip struct{}

// NewENIP returns a dissector of EtherNet/IP over TCP.
func NewENIP() dissect.Stream { return enip{} }

// NewENIPDatagrams returns a dissector of EtherNet/IP over UDP.
func NewENIPDatagrams() dissect.Datagrams { return &enipDatagrams{} }

func (enip) Feed(_ int, head []byte, _ bool, sink dissect.Sink) int {
	if len(head) < enipHeadLen {
		return enipHeadLen
	}
	size := enipHeadLen + int(binary.LittleEndian.Uint16(head[2:]))
	switch {
	case binary.LittleEndian.Uint16(head) != enipListIdentity || size > dissect.HeadLimit:
		return 0
	case len(head) < size:
		return size
	}
	enipIdentity(head[enipHeadLen:size], sink)
	return 0
}

type enipDatagrams struct{ seen int }

// maxENIP is the number of datagrams without an identity after which a session is no longer read.
const maxENIP = 16

func (e *enipDatagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	e.seen++
	listed := len(data) > enipHeadLen && binary.LittleEndian.Uint16(data) == enipListIdentity && enipIdentity(data[enipHeadLen:], sink)
	return !listed && e.seen < maxENIP
}
