// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

func looksSSDP(b []byte, ports Ports) bool {
	switch {
	case bytes.HasPrefix(b, []byte("M-SEARCH * HTTP/1.")):
		return true
	case bytes.HasPrefix(b, []byte("NOTIFY * HTTP/1.")), bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")):
		return ports.has(1900) || foldContains(b, "\nusn:")
	}
	return false
}

// looksWSDiscovery tells the namespaces of WS-Discovery 1.0 and 1.1.
func looksWSDiscovery(b []byte, _ Ports) bool {
	return startsWithAny(bytes.TrimLeft(b, "\xef\xbb\xbf \r\n"), "<") == yes &&
		(bytes.Contains(b, []byte("schemas.xmlsoap.org/ws/2005/04/discovery")) || bytes.Contains(b, []byte("docs.oasis-open.org/ws-dd/ns/discovery")))
}

// looksSIPDatagram also takes what phones send on the port of SIP to keep a mapping alive: line ends (RFC 5626 section 3.5.1),
// and the word "hello" of some.
func looksSIPDatagram(b []byte, ports Ports) bool {
	if ports.has(5060) && (string(b) == "\r\n\r\n" || string(b) == "\r\n" || string(b) == "hello") {
		return true
	}
	return len(b) > 0 && (looksSIPRequest(b, true, ports) == yes || looksSIPResponse(b, true, ports) == yes)
}

// looksSyslog tells a message by its priority (RFC 3164, RFC 5424); away from its port a version or a month must follow.
func looksSyslog(b []byte, ports Ports) bool {
	if len(b) < 8 || b[0] != '<' {
		return false
	}
	priority, ok := number(b[1:])
	i := bytes.IndexByte(b[:6], '>')
	if !ok || priority > 191 || i < 2 || i+5 > len(b) {
		return false
	}
	rest := b[i+1:]
	if ports.has(514) {
		return isPlain(rest[:4])
	}
	if rest[0] == '1' && rest[1] == ' ' {
		return rest[2] == '-' || rest[2] == '2'
	}
	return rest[3] == ' ' && bytes.Contains([]byte("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"), rest[:3])
}

// looksTFTP tells a request: operation, file name, mode (RFC 1350 section 5).
func looksTFTP(b []byte, _ Ports) bool {
	if len(b) < 9 || b[0] != 0 || b[1] != 1 && b[1] != 2 {
		return false
	}
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	mode, _, ok2 := bytes.Cut(rest, []byte{0})
	return ok && ok2 && len(name) > 0 && isPlain(name) && (foldEqual(mode, "octet") || foldEqual(mode, "netascii") || foldEqual(mode, "mail"))
}

// looksDHT tells the messages of BitTorrent's distributed hash table (BEP 5): dictionaries with the keys of a
// query, an answer or an error.
func looksDHT(b []byte, _ Ports) bool {
	return startsWithAny(b, "d1:ad2:id20:", "d1:rd2:id20:", "d2:ip6:", "d2:ip4:", "d1:eli20") == yes && b[len(b)-1] == 'e'
}
