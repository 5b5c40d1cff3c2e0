// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "xmpp",
	Signs: "stream header",
	Reads: "TLS after STARTTLS",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 310, Looks: LooksXMPP, New: NewXMPP},
	},
})

// xmppStream looks for the elements with which an XMPP session changes to TLS (RFC 6120 section 5.4.2).
type xmppStream struct {
	tunnel  tls.Upgrade
	scanned [2]int // bytes in which the element does not begin
	tls     [2]bool
}

// NewXMPP returns a dissector of XMPP.
func NewXMPP() dissect.Stream { return new(xmppStream) }

// maxXMPPHead is how many bytes are searched: the stream header and the features precede the elements.
const maxXMPPHead = 4096

// LooksXMPP recognizes the stream header, with or without an XML declaration before it (RFC 6120 section 4.2).
func LooksXMPP(head []byte, final bool, _ dissect.Ports) match.Verdict {
	const maxHead = 512
	v := match.AnyPrefix(head, "<stream:stream ", "<?xml ")
	if v != match.Yes || head[1] == 's' {
		return v
	}
	switch {
	case bytes.Contains(head[:min(len(head), maxHead)], []byte("<stream:stream ")):
		return match.Yes
	case len(head) < maxHead && !final:
		return match.Maybe
	}
	return match.No
}

func (x *xmppStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if !x.tls[dir] {
		from, v := xmppElement(head[:min(len(head), maxXMPPHead)], &x.scanned[dir], [2]string{"starttls", "proceed"}[dir])
		switch {
		case v == match.Maybe && len(head) < maxXMPPHead:
			return len(head) + 1
		case v != match.Yes:
			return 0
		}
		x.tls[dir], x.tunnel.From[dir] = true, from
	}
	return x.tunnel.Feed(dir, head, final, sink)
}

// xmppElement finds an element without content and returns the offset behind it.
func xmppElement(head []byte, scanned *int, name string) (end int, v match.Verdict) {
	at := bytes.Index(head[*scanned:], []byte("<"+name))
	if at < 0 {
		*scanned = max(*scanned, len(head)-len(name))
		return 0, match.Maybe
	}
	*scanned += at
	tag := bytes.IndexByte(head[*scanned:], '>')
	switch {
	case tag < 0:
		return 0, match.Maybe
	case head[*scanned+tag-1] == '/':
		return *scanned + tag + 1, match.Yes
	}
	end = *scanned + tag + 1
	closing := "</" + name + ">"
	switch match.Prefix(head[end:], closing) {
	case match.Yes:
		return end + len(closing), match.Yes
	case match.Maybe:
		return 0, match.Maybe
	}
	return 0, match.No
}
