// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "kerberos",
	Signs: "tag of a request, an answer or an error, version 5",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 720, Looks: LooksKerberosStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 610, First: "jm~~", Looks: LooksKerberos},
	},
})

// LooksKerberos recognizes the application tags of requests, answers and errors, and the version number in them (RFC
// 4120 section 5.4.1).
func LooksKerberos(b []byte, _ dissect.Ports) bool {
	const asReq, asRep, tgsReq, tgsRep, krbError = 0x6a, 0x6b, 0x6c, 0x6d, 0x7e
	if len(b) < 16 {
		return false
	}
	switch b[0] {
	case asReq, asRep, tgsReq, tgsRep, krbError:
	default:
		return false
	}
	seq, ok := parse.BERBody(b)
	if !ok || len(seq) < 7 || seq[0] != 0x30 {
		return false
	}
	fields, ok := parse.BERBody(seq)
	return ok && len(fields) >= 5 && (fields[0] == 0xa0 || fields[0] == 0xa1) && string(fields[1:5]) == "\x03\x02\x01\x05"
}

// LooksKerberosStream recognizes a request behind its length (RFC 4120 section 7.2.2).
func LooksKerberosStream(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if head[0] != 0 || len(head) >= 2 && head[1] != 0 {
		return match.No
	}
	if len(head) < 20 {
		return match.Maybe
	}
	return match.If(LooksKerberos(head[4:], ports))
}
