// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "nfs",
	Signs: "call of program 100003; UDP: an answer",
	Ports: "2049 for an answer",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 640, Looks: LooksNFS},
	},
	Datagrams: []protocol.Datagram{
		{Order: 680, Looks: LooksNFSDatagram},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "portmap",
	Signs: "call of program 100000; UDP: an answer",
	Ports: "111 for an answer",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 650, Looks: LooksPortmap},
	},
	Datagrams: []protocol.Datagram{
		{Order: 690, Looks: LooksPortmapDatagram},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rpc",
	Signs: "call of another program of ONC RPC",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 660, Looks: LooksRPC},
	},
	Datagrams: []protocol.Datagram{
		{Order: 700, Looks: LooksRPCDatagram},
	},
})

// Programs of ONC RPC (RFC 5531, RFC 1833, RFC 1813).
const (
	portmapProgram = 100000
	nfsProgram     = 100003
	rpcFirst       = 100000
	rpcLast        = 0x3fffffff
)

// LooksNFS recognizes a call of the network file system over TCP.
func LooksNFS(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return rpcStream(head, nfsProgram, nfsProgram)
}

// LooksPortmap recognizes a call of the port mapper over TCP.
func LooksPortmap(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return rpcStream(head, portmapProgram, portmapProgram)
}

// LooksRPC recognizes a call of any program over TCP.
func LooksRPC(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return rpcStream(head, rpcFirst, rpcLast)
}

// LooksNFSDatagram recognizes a call of the network file system, and on its port an answer.
func LooksNFSDatagram(b []byte, ports dissect.Ports) bool {
	return rpcCall(b, nfsProgram, nfsProgram) || ports.Has(2049) && rpcReply(b)
}

// LooksPortmapDatagram recognizes a call of the port mapper, and on its port an answer.
func LooksPortmapDatagram(b []byte, ports dissect.Ports) bool {
	return rpcCall(b, portmapProgram, portmapProgram) || ports.Has(111) && rpcReply(b)
}

// LooksRPCDatagram recognizes a call of any program.
func LooksRPCDatagram(b []byte, _ dissect.Ports) bool { return rpcCall(b, rpcFirst, rpcLast) }

// rpcCallLen is the length of a call up to the length of its credential: id, type, version of RPC, program, version, procedure, flavor,
// length (RFC 5531 section 9).
const rpcCallLen = 32

// rpcStream reports whether the first record is a call of a program from first to last. A record begins with its length, with the highest
// bit set in the last fragment (RFC 5531 section 11).
func rpcStream(head []byte, first, last uint32) match.Verdict {
	const markLen, lastFragment, typeAt, fixed = 4, 0x80, 8, "\x00\x00\x00\x00\x00\x00\x00\x02"
	switch {
	case head[0] != lastFragment, len(head) > typeAt && match.Prefix(head[typeAt:], fixed) == match.No:
		return match.No
	case len(head) < markLen+rpcCallLen:
		return match.Maybe
	}
	return match.If(binary.BigEndian.Uint32(head)&0xffffff >= rpcCallLen && rpcCall(head[markLen:], first, last))
}

func rpcCall(b []byte, first, last uint32) bool {
	const fixed, maxVersion, maxProcedure, maxFlavor, maxCredential = "\x00\x00\x00\x00\x00\x00\x00\x02", 16, 255, 6, 400
	if len(b) < rpcCallLen || string(b[4:12]) != fixed {
		return false
	}
	program, version, procedure := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	flavor, credential := binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:])
	return program >= first && program <= last && version <= maxVersion && procedure <= maxProcedure && flavor <= maxFlavor && credential <= maxCredential
}

// rpcReply recognizes an accepted answer without a verifier: id, type 1, accepted, no flavor, no length, status.
func rpcReply(b []byte) bool {
	const fixed, maxStatus = "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 5
	return len(b) >= 24 && string(b[4:4+len(fixed)]) == fixed && b[23] <= maxStatus
}
