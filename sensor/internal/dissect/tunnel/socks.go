// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "socks",
	Signs: "version, methods or address, and the answer",
	Reads: "TLS behind the proxy",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 180, Looks: LooksSOCKS5, Names: []string{"socks"}, New: NewSOCKS},
		{From: protocol.Client, Order: 190, Looks: LooksSOCKS4, Names: []string{"socks"}, New: NewSOCKS},
	},
})

// socksStream reads the handshake of SOCKS 4 (and 4A) and 5 (RFC 1928, RFC 1929), and TLS in what is relayed. The
// request of SOCKS 4 and the greeting of SOCKS 5 look like other protocols, so the session is named when the server has answered, or
// when a request of SOCKS 5 follows.
type socksStream struct {
	version byte
	sure    bool // it is SOCKS
	named   bool // the session was named
	pos     [2]int
	method  byte
	step    [2]socksStep
	tunnel  tls.Upgrade
}

// NewSOCKS returns a dissector of SOCKS.
func NewSOCKS() dissect.Stream { return new(socksStream) }

// socksStep is what a side of SOCKS 5 sends next.
type socksStep uint8

const (
	socksGreeting socksStep = iota
	socksAuth
	socksRequest
	socksRelay
)

const socksUserPassword = 2

// LooksSOCKS5 requires a list of assigned methods.
func LooksSOCKS5(head []byte, final bool, _ dissect.Ports) match.Verdict {
	switch {
	case head[0] != 5:
		return match.No
	case len(head) < 2:
		return match.Maybe
	case head[1] == 0 || head[1] > 10:
		return match.No
	}
	n := 2 + int(head[1])
	for i, m := range head[2:min(n, len(head))] {
		if m > 9 && m < 0x80 || i > 0 && m == head[1+i] {
			return match.No
		}
	}
	if len(head) < n {
		return match.Maybe
	}
	return match.Yes
}

// LooksSOCKS4 recognizes a request with a port, an address and a user name.
func LooksSOCKS4(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const fixed, maxUser = 8, 255
	switch {
	case head[0] != 4 || len(head) > 1 && head[1] != 1 && head[1] != 2:
		return match.No
	case len(head) <= fixed:
		return match.Maybe
	}
	user := head[fixed:min(len(head), fixed+maxUser)]
	end := bytes.IndexByte(user, 0)
	switch {
	case end >= 0 && parse.IsPlain(user[:end]) && (head[2] != 0 || head[3] != 0):
		return match.Yes
	case end < 0 && parse.IsPlain(user) && len(user) < maxUser:
		return match.Maybe
	}
	return match.No
}

func (s *socksStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if len(head) == 0 {
		return 1
	}
	if s.version == 0 && dir == dissect.FromClient {
		s.version = head[0]
	}
	for s.step[dir] != socksRelay {
		n := s.next(dir, head[min(s.pos[dir], len(head)):])
		if s.sure && !s.named {
			s.named = true
			sink(&dissect.AppID{Name: "socks"})
		}
		if n == socksStop {
			return 0
		}
		if n == 0 {
			return len(head) + 1
		}
		s.pos[dir] += n
	}
	s.tunnel.From[dir] = s.pos[dir]
	return s.tunnel.Feed(dir, head, final, sink)
}

// socksStop is returned instead of a length if the stream is not SOCKS.
const socksStop = -1

// next returns the length of the next message of a side, 0 if it is not complete.
func (s *socksStream) next(dir int, b []byte) int {
	switch {
	case s.version == 0:
		return 0 // the client is not known yet
	case s.version == 4:
		return s.next4(dir, b)
	case s.step[dir] == socksGreeting:
		return s.greeting(dir, b)
	case s.step[dir] == socksAuth:
		return s.auth(dir, b)
	}
	return s.request(dir, b)
}

func (s *socksStream) next4(dir int, b []byte) int {
	const fixed, granted, lastRefusal = 8, 90, 93
	if len(b) < fixed {
		return 0
	}
	if dir == dissect.FromServer { // the request alone proves nothing: other binary protocols look like it
		s.sure = b[0] == 0 && b[1] >= granted && b[1] <= lastRefusal
		if !s.sure || b[1] != granted {
			return socksStop
		}
		s.step[dir] = socksRelay
		return fixed
	}
	user := bytes.IndexByte(b[fixed:], 0)
	if user < 0 {
		return 0
	}
	n := fixed + user + 1
	if b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] != 0 { // 4A: a host name follows
		name := bytes.IndexByte(b[n:], 0)
		if name < 0 {
			return 0
		}
		n += name + 1
	}
	s.step[dir] = socksRelay
	return n
}

func (s *socksStream) greeting(dir int, b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if dir == dissect.FromServer {
		s.sure = s.sure || b[0] == 5 && (b[1] <= 9 || b[1] == 0xff)
		if b[0] != 5 || b[1] != 0 && b[1] != socksUserPassword {
			return socksStop
		}
		s.method = b[1]
		s.step[dir] = socksRequest
		if s.method == socksUserPassword {
			s.step[dir] = socksAuth
		}
		return 2
	}
	n := 2 + int(b[1])
	if len(b) < n {
		return 0
	}
	s.step[dir] = socksAuth // or the request: their first bytes differ
	return n
}

func (s *socksStream) auth(dir int, b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if dir == dissect.FromServer {
		s.step[dir] = socksRequest
		return 2
	}
	s.step[dir] = socksRequest
	if b[0] == 5 {
		return s.request(dir, b)
	}
	n := 2 + int(b[1])
	if len(b) <= n || len(b) < n+1+int(b[n]) {
		s.step[dir] = socksAuth
		return 0
	}
	return n + 1 + int(b[n])
}

// request reads a request or a reply. Both are version, code, zero, address type, address, port.
func (s *socksStream) request(dir int, b []byte) int {
	const ip4, name, ip6 = 1, 3, 4
	if len(b) < 5 {
		return 0
	}
	if b[0] != 5 || dir == dissect.FromServer && b[1] != 0 {
		return socksStop
	}
	n := 0
	switch b[3] {
	case ip4:
		n = 4 + 4 + 2
	case ip6:
		n = 4 + 16 + 2
	case name:
		n = 5 + int(b[4]) + 2
	default:
		return socksStop
	}
	if len(b) < n {
		return 0
	}
	s.step[dir] = socksRelay
	s.sure = true
	return n
}
