// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// xmppStream looks for the elements with which an XMPP session turns to TLS (RFC 6120 section 5.4.2).
type xmppStream struct {
	tunnel  handover
	scanned [2]int // bytes in which the element does not begin
	tls     [2]bool
}

// maxXMPPHead is how far the elements are looked for: before them come the stream header and the features.
const maxXMPPHead = 4096

// looksXMPP tells the stream header, with or without an XML declaration before it (RFC 6120 section 4.2).
func looksXMPP(head []byte, final bool, _ Ports) verdict {
	const maxHead = 512
	v := startsWithAny(head, "<stream:stream ", "<?xml ")
	if v != yes || head[1] == 's' {
		return v
	}
	switch {
	case bytes.Contains(head[:min(len(head), maxHead)], []byte("<stream:stream ")):
		return yes
	case len(head) < maxHead && !final:
		return maybe
	}
	return no
}

func (x *xmppStream) feed(dir int, head []byte, final bool, sink Sink) int {
	if !x.tls[dir] {
		from, v := xmppElement(head[:min(len(head), maxXMPPHead)], &x.scanned[dir], [2]string{"starttls", "proceed"}[dir])
		switch {
		case v == maybe && len(head) < maxXMPPHead:
			return len(head) + 1
		case v != yes:
			return 0
		}
		x.tls[dir], x.tunnel.from[dir] = true, from
	}
	return x.tunnel.feed(dir, head, final, sink)
}

// xmppElement finds an element without content and gives the offset behind it.
func xmppElement(head []byte, scanned *int, name string) (end int, v verdict) {
	at := bytes.Index(head[*scanned:], []byte("<"+name))
	if at < 0 {
		*scanned = max(*scanned, len(head)-len(name))
		return 0, maybe
	}
	*scanned += at
	tag := bytes.IndexByte(head[*scanned:], '>')
	switch {
	case tag < 0:
		return 0, maybe
	case head[*scanned+tag-1] == '/':
		return *scanned + tag + 1, yes
	}
	end = *scanned + tag + 1
	closing := "</" + name + ">"
	switch startsWith(head[end:], closing) {
	case yes:
		return end + len(closing), yes
	case maybe:
		return 0, maybe
	}
	return 0, no
}
