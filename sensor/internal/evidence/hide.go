// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/packet"
)

// cover replaces each byte that may be part of a secret.
const cover = 'x'

var covers = bytes.Repeat([]byte{cover}, snapLen)

// open are the protocols of which every byte is shown: they are encrypted, or carry no secret. text are those with a start line and headers,
// and lines those with one command on a line. Of all others only the bytes that are no text are shown, at the beginning of each packet.
var (
	open = []string{"tls", "dtls", "quic", "ssh", "dns", "mdns", "llmnr", "nbns", "ntp", "ptp", "dhcp", "dhcpv6", "rtp", "rtcp", "wireguard", "modbus", "bacnet", "knx", "enip",
		"netflow", "ipfix", "sflow"}
	text  = []string{"http", "rtsp", "sip", "ssdp"}
	lines = []string{"ftp", "smtp", "pop3", "imap", "nntp", "irc"}
)

// shown is what is shown of the packets of a protocol.
type shown uint8

const (
	shownUnknown shown = iota
	shownAll
	shownText
	shownLines
)

// shownOf returns what is shown of a protocol, "" if it is not known.
func shownOf(app string) shown {
	switch {
	case slices.Contains(open, app):
		return shownAll
	case slices.Contains(text, app):
		return shownText
	case slices.Contains(lines, app):
		return shownLines
	}
	return shownUnknown
}

// shownHeaders are the headers whose values are shown, through the mask of the records. verbs are the commands that are shown without what
// follows them.
var (
	shownHeaders = []string{"host", "user-agent", "server", "content-type", "content-length", "date", "connection", "accept", "accept-encoding", "cseq", "transport", "public",
		"range", "allow", "st", "nt", "mx", "man", "usn", "nts", "cache-control", "transfer-encoding", "last-modified"}
	verbs = []string{"USER", "PASS", "ACCT", "CWD", "QUIT", "PORT", "PASV", "EPSV", "EPRT", "TYPE", "RETR", "STOR", "APPE", "DELE", "LIST", "NLST", "SYST", "FEAT", "NOOP", "PWD", "HELO",
		"EHLO", "MAIL", "RCPT", "DATA", "RSET", "STARTTLS", "AUTH", "STAT", "TOP", "UIDL", "STLS", "CAPA", "APOP", "NICK", "JOIN", "PRIVMSG", "PING", "PONG", "MODE", "AUTHINFO", "GROUP"}
)

// unknownShown is how many bytes at the beginning of a payload of another protocol are looked at.
const unknownShown = 16

// hidden is what hide did to a frame.
type hidden uint8

const (
	nothingHidden hidden = iota
	bytesHidden
	bytesCorrected // and the checksum
	payloadHidden
)

// String returns the comment for it, "" for nothing.
func (h hidden) String() string {
	return [...]string{"", "bytes that may be secret are overwritten with x", "bytes that may be secret are overwritten with x, and the checksum is corrected",
		"the payload is left out: it cannot be read by itself"}[h]
}

// hider overwrites what may be a secret. It keeps its buffers, so that packets cost no allocation.
type hider struct {
	packet packet.Packet
	before []byte // the payload as it was
}

// hide overwrites what may be a secret in a frame, in place, and corrects the checksum. It returns how many bytes of the frame remain.
func (x *hider) hide(frame []byte, link packet.LinkType, orig uint32, as shown) (n int, did hidden) {
	p := &x.packet
	packet.Decode(p, link, frame, orig)
	if !p.HasIP {
		return len(frame), nothingHidden // ARP and announcements to neighbors
	}
	at := index(frame, p.Payload)
	if p.Frag != packet.FragNone || p.Verdict != packet.VerdictOK || at < 0 && p.PayloadLen > 0 {
		if n := min(len(frame), headersOnly(link)); n < len(frame) {
			return n, payloadHidden
		}
		return len(frame), nothingHidden
	}
	if at < 0 {
		return len(frame), nothingHidden
	}
	end := at + len(p.Payload)
	if as == shownAll && p.Kind != packet.KindICMP && p.Kind != packet.KindICMP6 {
		return end, nothingHidden
	}
	x.before = append(x.before[:0], p.Payload...)
	defer clear(x.before)
	hidePayload(p, as)
	switch {
	case bytes.Equal(x.before, p.Payload):
		return end, nothingHidden
	case correct(p, frame, at, x.before):
		return end, bytesCorrected
	}
	return end, bytesHidden
}

// headersOnly is how much of a frame is headers of Ethernet and IPv4, or of IPv4.
func headersOnly(link packet.LinkType) int {
	if link == packet.LinkEthernet {
		return 34
	}
	return 20
}

// index returns where part, which points into frame, begins in it; -1 if it is empty.
func index(frame, part []byte) int {
	if len(part) == 0 {
		return -1
	}
	for i := range frame {
		if &frame[i] == &part[0] {
			return i
		}
	}
	return -1
}

// hidePayload overwrites what may be a secret in the payload of a packet.
func hidePayload(p *packet.Packet, as shown) {
	b := p.Payload
	switch {
	case p.Kind == packet.KindICMP || p.Kind == packet.KindICMP6:
		hideICMP(p)
	case as == shownText:
		hideText(b)
	case as == shownLines:
		hideLine(b)
	default:
		hideUnknown(b)
	}
}

// hideICMP shows the headers that an error quotes, and of an echo what no text is.
func hideICMP(p *packet.Packet) {
	b := p.Payload
	switch t := p.SrcPort; {
	case p.Kind == packet.KindICMP6 && t >= 133 && t <= 137: // Neighbor Discovery
	case p.Kind == packet.KindICMP && (t == 3 || t == 5 || t == 11), p.Kind == packet.KindICMP6 && t >= 1 && t <= 4:
		quoted := 20 + 8
		if p.Kind == packet.KindICMP6 {
			quoted = 40 + 8
		}
		fill(b[min(len(b), quoted):])
	default:
		hideUnknown(b)
	}
}

// hideUnknown shows the bytes at the beginning that are no text.
func hideUnknown(b []byte) {
	for i, c := range b[:min(len(b), unknownShown)] {
		if c >= ' ' && c != 0x7f {
			b[i] = cover
		}
	}
	for rest := b[min(len(b), unknownShown):]; len(rest) > 0; {
		rest = rest[copy(rest, covers):]
	}
}

// fill overwrites all but the ends of lines.
func fill(b []byte) {
	for i, c := range b {
		if c != '\r' && c != '\n' {
			b[i] = cover
		}
	}
}

// hideLine shows the command or the code at the beginning.
func hideLine(b []byte) {
	word := b
	if i := bytes.IndexAny(b, " \r\n"); i >= 0 {
		word = b[:i]
	}
	code := len(b) > 3 && (b[3] == ' ' || b[3] == '-') && strings.Trim(string(b[:3]), "0123456789") == ""
	if !code && !isVerb(word) && string(word) != "+OK" && string(word) != "-ERR" {
		word = nil
	}
	fill(b[len(word):])
}

// isVerb does not allocate: the conversion of a short word stays on the stack.
func isVerb(word []byte) bool {
	return slices.ContainsFunc(verbs, func(v string) bool { return len(v) == len(word) && strings.EqualFold(v, string(word)) })
}

// hideText shows a start line and known headers. A packet that does not begin with a start line continues another one: all of it is hidden.
func hideText(b []byte) {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	if !startLine(line) {
		fill(b)
		return
	}
	if target := bytes.IndexByte(line, ' ') + 1; !isStatus(line) {
		uri := line[target:]
		uri = uri[:bytes.LastIndexByte(uri, ' ')]
		show(uri, mask.URI(uri))
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok || !slices.Contains(shownHeaders, strings.ToLower(string(name))) {
			fill(line[min(len(line), headerName(line)):])
			continue
		}
		value := bytes.TrimSpace(line[len(name)+1:])
		show(value, mask.Text(value, snapLen))
	}
	fill(rest)
}

// headerName returns the length of the name of a header with its colon; 0 if the line is none.
func headerName(line []byte) int {
	for i, c := range line {
		switch {
		case c == ':' && i > 0:
			return i + 1
		case c != '-' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') || i > 32:
			return 0
		}
	}
	return 0
}

var versions = [][]byte{[]byte("HTTP/1."), []byte("RTSP/1."), []byte("SIP/2.0")}

// startLine reports whether a line begins a request or an answer.
func startLine(line []byte) bool {
	if isStatus(line) {
		return true
	}
	i, k := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if i < 0 || k <= i || strings.Trim(string(line[:i]), "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" {
		return false
	}
	return slices.ContainsFunc(versions, func(v []byte) bool { return bytes.HasPrefix(line[k+1:], v) && len(line)-k-1 <= 8 })
}

// isStatus reports whether a line begins an answer. Its reason is shown only if it is short.
func isStatus(line []byte) bool {
	return len(line) <= 64 && slices.ContainsFunc(versions, func(v []byte) bool { return bytes.HasPrefix(line, v) })
}

// show overwrites b from where it differs from its masked form on. A mask is a run of asterisks.
func show(b []byte, masked string) {
	n := 0
	for n < len(b) && n < len(masked) && b[n] == masked[n] && masked[n] != '*' {
		n++
	}
	if n < len(b) && !(string(b) == masked) {
		fill(b[n:])
	}
}

// correct changes the checksum of the transport header by what the payload at an offset has changed, RFC 1624. It reports whether there is a
// checksum that covers the payload.
func correct(p *packet.Packet, frame []byte, at int, before []byte) bool {
	field := 0
	switch p.Kind {
	case packet.KindTCP:
		field = at - 20 - int(p.TCPOptLen) + 16
	case packet.KindUDP:
		field = at - 8 + 6
	case packet.KindICMP, packet.KindICMP6:
		field = at - 8 + 2
	default:
		return false
	}
	sum := binary.BigEndian.Uint16(frame[field:])
	if p.Kind == packet.KindUDP && sum == 0 {
		return false // none was sent
	}
	s := uint32(^sum)
	for i := range before {
		shift := 8 * (1 - i%2) // the header has a whole number of words, so words begin at even offsets
		s += uint32(^(uint16(before[i]) << shift)) & 0xffff
		s += uint32(p.Payload[i]) << shift
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	sum = ^uint16(s)
	if p.Kind == packet.KindUDP && sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(frame[field:], sum)
	return true
}
