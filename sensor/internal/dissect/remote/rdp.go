// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rdp",
	Signs: "X.224 request with a cookie or a negotiation; UDP: SYN with packet sizes",
	Ports: "3389 without them",
	Reads: "user name, security, TLS, DTLS; build and name of the client without TLS",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 170, Looks: LooksRDP, New: NewRDP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 560, First: "\xff\xff", Looks: LooksRDPUDP, New: NewRDPUDP},
	},
})

// upgradeStream reads a protocol that begins with one message each way and continues in TLS if the server agrees.
type upgradeStream struct {
	// size returns the length of the first message, 0 if it is not complete, -1 if it is not of the protocol.
	size func(dir int, head []byte) int
	// agrees reports whether the server's message changes to TLS.
	agrees  func(reply []byte) bool
	lengths [2]int
	tunnel  *tls.Upgrade
	stopped bool
}

func (u *upgradeStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if u.tunnel == nil && !u.stopped && u.lengths[dir] == 0 {
		n := u.size(dir, head)
		if n == 0 {
			return len(head) + 1
		}
		u.lengths[dir] = n
		u.stopped = n < 0 || dir == dissect.FromServer && !u.agrees(head[:n])
		if !u.stopped && dir == dissect.FromServer {
			u.tunnel = &tls.Upgrade{}
		}
	}
	switch {
	case u.stopped:
		return 0
	case u.tunnel == nil || u.lengths[dir] == 0:
		return len(head) + 1
	}
	u.tunnel.From[dir] = u.lengths[dir]
	return u.tunnel.Feed(dir, head, final, sink)
}

// LooksRDP recognizes the connection request of RDP with its TPKT and X.224 headers (MS-RDPBCGR 2.2.1.1). Other
// protocols have these headers as well, so a cookie or a negotiation request must follow, or the port must be that of
// RDP.
func LooksRDP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const sure = 11
	if v := match.Prefix(head, "\x03\x00"); v != match.Yes {
		return v
	}
	switch {
	case len(head) > 5 && head[5] != 0xe0:
		return match.No
	case len(head) < sure:
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if size < sure || size > 512 || int(head[4]) != size-5 {
		return match.No
	}
	if size == sure {
		return match.If(ports.Has(3389))
	}
	rest := head[sure:min(len(head), size)]
	return max(match.Prefix(rest, "Cookie: "), match.Prefix(rest, "\x01\x00\x08\x00"), match.Prefix(rest, "\x01\x01\x08\x00"))
}

// rdpStream reads what both sides of RDP say in clear text, and TLS behind it.
type rdpStream struct {
	upgradeStream
	asked, answered, settings bool // was read
}

// NewRDP returns a dissector of RDP.
func NewRDP() dissect.Stream {
	return &rdpStream{upgradeStream: upgradeStream{size: rdpSize, agrees: rdpChoseTLS}}
}

// Feed reads one direction; see dissect.Stream.
func (r *rdpStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	n := rdpSize(dir, head)
	if n == 0 && !final {
		return len(head) + 1
	}
	if n > 0 && dir == dissect.FromClient && !r.asked {
		r.asked = true
		rdpCookie(head[:n], sink)
	}
	if n > 0 && dir == dissect.FromServer && !r.answered {
		r.answered = true
		rdpAnswer(head[:n], sink)
	}
	want := r.upgradeStream.Feed(dir, head, final, sink)
	if dir == dissect.FromClient && n > 0 && !r.settings {
		if more := r.readSettings(head, n, final, sink); want == 0 || more > 0 && more < want {
			want = more
		}
	}
	return want
}

// readSettings reads the second message of the client, at offset n, if it is in clear text.
func (r *rdpStream) readSettings(head []byte, n int, final bool, sink dissect.Sink) int {
	size := rdpSize(dissect.FromClient, head[n:])
	if size == 0 && !final {
		return len(head) + 1
	}
	if size > 0 {
		rdpClient(head[n:n+size], sink)
	}
	r.settings = true
	return 0
}

// rdpSize returns the length of the message at the start of head, by its TPKT header (RFC 1006 section 6).
func rdpSize(_ int, head []byte) int {
	if len(head) < 4 {
		return 0
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case head[0] != 3 || n < 11:
		return -1
	case len(head) < n:
		return 0
	}
	return n
}

// rdpCookie reports an attempt to log in as the user that the request names (MS-RDPBCGR 2.2.1.1). The result is encrypted.
func rdpCookie(request []byte, sink dissect.Sink) {
	const key = "cookie: mstshash="
	if i := parse.FoldIndex(request, key); i >= 0 {
		name, _, _ := parse.CutLine(request[i+len(key):])
		sink(&dissect.Login{Protocol: "rdp", UserHint: logins.Hint(name)})
	}
}

// rdpAnswer reports the security that the server has chosen (MS-RDPBCGR 2.2.1.2.1), or why it refuses the client's (2.2.1.2.2).
func rdpAnswer(reply []byte, sink dissect.Sink) {
	const headLen, response, failure = 19, 2, 3
	text := "security rdp"
	if len(reply) >= headLen {
		value := binary.LittleEndian.Uint32(reply[15:])
		switch {
		case reply[11] == failure:
			text = "refuses with code " + strconv.Itoa(int(value))
		case reply[11] == response:
			names := map[uint32]string{0: "rdp", 1: "tls", 2: "nla", 4: "rdstls", 8: "nla-ex", 16: "aad"}
			text = "security " + cmp.Or(names[value], strconv.Itoa(int(value)))
		}
	}
	sink(&dissect.Banner{Protocol: "rdp", Text: text})
}

// rdpClient reports build and name of the client in its settings (MS-RDPBCGR 2.2.1.3.2), which standard RDP security sends in clear text: behind
// the key "Duca" of the client, a length and the header of the block CS_CORE.
func rdpClient(b []byte, sink dissect.Sink) {
	const key, block, build, name, nameLen = "Duca", "\x01\xc0", 20, 24, 32
	i := bytes.Index(b, []byte(key))
	if i < 0 {
		return
	}
	if i += len(key); i < len(b) && b[i]&0x80 != 0 { // the length of the blocks, packed (X.691 section 10.9)
		i++
	}
	i++
	if len(b) < i+name+nameLen || string(b[i:i+len(block)]) != block {
		return
	}
	core := b[i:]
	text := "build " + strconv.Itoa(int(binary.LittleEndian.Uint32(core[build:])))
	host := make([]byte, 0, nameLen/2)
	for at := name; at < name+nameLen && binary.LittleEndian.Uint16(core[at:]) != 0; at += 2 {
		host = utf8.AppendRune(host, rune(binary.LittleEndian.Uint16(core[at:])))
	}
	if len(host) > 0 {
		text += ", name " + parse.CleanText(host, 64)
	}
	sink(&dissect.Banner{Protocol: "rdp", Text: text, Client: true})
}

// rdpChoseTLS reads the server's choice (MS-RDPBCGR 2.2.1.2.1): anything but standard RDP security runs in TLS.
func rdpChoseTLS(reply []byte) bool {
	const response = 2
	return len(reply) >= 19 && reply[11] == response && binary.LittleEndian.Uint32(reply[15:]) != 0
}
