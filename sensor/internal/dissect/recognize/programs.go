// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dropbox",
	Signs: "JSON with a host and name spaces",
	Ports: "17500",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 240, First: "{{", Ports: []uint16{17500}, Looks: LooksDropbox},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "git",
	Signs: "length, then `git-upload-pack`, `git-receive-pack`, `git-upload-archive`",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 410, Looks: LooksGit},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "h323",
	Signs: "TPKT, then SETUP of Q.931",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 440, Looks: LooksH323},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "kafka",
	Signs: "length, first kinds of request, name of the client",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 430, Looks: LooksKafka},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mgcp",
	Signs: "command and version",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 220, First: "AZ", Looks: LooksMGCP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "munin",
	Signs: "greeting",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 610, Looks: LooksMunin},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "pjl",
	Signs: "`@PJL`, also behind the universal exit language",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 390, Looks: LooksPJL},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "pptp",
	Signs: "start of a control connection and magic cookie",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 420, Looks: LooksPPTP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rsync",
	Signs: "`@RSYNCD:`",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 380, Looks: LooksRsync},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rtmp",
	Signs: "handshake of 1,537 bytes",
	Ports: "1935 if it has no zeros",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 750, Looks: LooksRTMP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "x11",
	Signs: "byte order and version",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 400, Looks: LooksX11},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "zabbix",
	Signs: "`ZBXD`, flags",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 370, Looks: LooksZabbix},
	},
})

// LooksRTMP recognizes the handshake of a client of Adobe's Real Time Messaging Protocol, with which cameras and encoders push video (RTMP 1.0,
// section 5.2): version 3, then a time, zeros and 1528 bytes. On port 1935 the zeros may be the version of a player.
func LooksRTMP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const times, zeros, handshake = 5, "\x00\x00\x00\x00", 1537
	switch {
	case head[0] != 3:
		return match.No
	case len(head) > times && !ports.Has(1935) && match.Prefix(head[times:], zeros) == match.No:
		return match.No
	case len(head) < handshake:
		return match.Maybe
	}
	return match.Yes
}

// LooksZabbix recognizes the header of the monitoring system Zabbix (Zabbix Documentation, Header): ZBXD, flags, length.
func LooksZabbix(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const flagsAt, maxFlags = 4, 7
	if v := match.Prefix(head, "ZBXD"); v != match.Yes {
		return v
	}
	if len(head) <= flagsAt {
		return match.Maybe
	}
	return match.If(head[flagsAt] > 0 && head[flagsAt] <= maxFlags)
}

// LooksMunin recognizes the greeting of a node of the monitoring system Munin.
func LooksMunin(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.Prefix(head, "# munin node at ")
}

// LooksRsync recognizes the greeting with which both sides of rsync begin.
func LooksRsync(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.Prefix(head, "@RSYNCD: ")
}

// LooksPJL recognizes a job for a printer that begins with the Printer Job Language.
func LooksPJL(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "\x1b%-12345X@PJL", "@PJL ")
}

// LooksX11 recognizes the first message of a client of the X Window System, version 11, in either byte order.
func LooksX11(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "l\x00\x0b\x00\x00\x00", "B\x00\x00\x0b\x00\x00")
}

// LooksGit recognizes the first line of a client of git, which begins with its length in hexadecimal (git documentation, pack-protocol).
func LooksGit(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const lengthLen = 4
	for _, c := range head[:min(lengthLen, len(head))] {
		if !parse.IsHex(c) {
			return match.No
		}
	}
	if len(head) <= lengthLen {
		return match.Maybe
	}
	return match.AnyPrefix(head[lengthLen:], "git-upload-pack /", "git-receive-pack /", "git-upload-archive /")
}

// LooksKafka recognizes the first request of a client of Apache Kafka: length, kind of request, version, number, name of the client (Kafka
// protocol guide, request header 1).
func LooksKafka(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, maxVersion, maxName = 14, 20, 128
	const metadata, handshake, versions = 3, 17, 18 // with which clients begin
	if v := match.Prefix(head, "\x00\x00"); v != match.Yes {
		return v
	}
	if len(head) > 4 && head[4] != 0 {
		return match.No
	}
	if len(head) < headLen {
		return match.Maybe
	}
	kind, version, name := head[5], binary.BigEndian.Uint16(head[6:]), int(binary.BigEndian.Uint16(head[12:]))
	if kind != metadata && kind != handshake && kind != versions || version > maxVersion || name == 0 || name > maxName ||
		int(binary.BigEndian.Uint32(head)) < headLen-4+name {
		return match.No
	}
	text := head[headLen:min(headLen+name, len(head))]
	switch {
	case parse.HasControl(text) || !isASCII(text):
		return match.No
	case len(text) < name:
		return match.Maybe
	}
	return match.Yes
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// LooksPPTP recognizes the request to start a control connection (RFC 2637 section 2.1).
func LooksPPTP(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.Prefix(head, "\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01\x00\x00")
}

// LooksH323 recognizes the setup of a call (ITU-T H.225.0): TPKT, then SETUP of Q.931 with a call reference of two bytes.
func LooksH323(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, setupAt, setup = 10, 8, 5
	switch {
	case match.Prefix(head, "\x03\x00") == match.No, len(head) > 4 && match.Prefix(head[4:], "\x08\x02") == match.No:
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	return match.If(head[setupAt] == setup)
}

// LooksLocalPeers recognizes the search for peers of BitTorrent in the local network (BEP 14).
func LooksLocalPeers(b []byte, _ dissect.Ports) bool {
	return bytes.HasPrefix(b, []byte("BT-SEARCH * HTTP/1.1\r\n"))
}

// LooksDropbox recognizes the announcement with which clients of Dropbox find each other. The table binds it to the port.
func LooksDropbox(b []byte, _ dissect.Ports) bool {
	return len(b) > 0 && b[0] == '{' && bytes.Contains(b, []byte(`"host_int":`)) && bytes.Contains(b, []byte(`"namespaces":`))
}

// LooksMGCP recognizes a command of the Media Gateway Control Protocol (RFC 3435 section 3.2).
func LooksMGCP(b []byte, _ dissect.Ports) bool {
	line, _, ok := parse.CutLine(b)
	if !ok || !bytes.Contains(line, []byte(" MGCP ")) {
		return false
	}
	return match.AnyPrefix(b, "EPCF ", "CRCX ", "MDCX ", "DLCX ", "RQNT ", "NTFY ", "AUEP ", "AUCX ", "RSIP ") == match.Yes
}
