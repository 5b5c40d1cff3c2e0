// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "smb",
	Signs: "message of SMB 1, 2 or 3 behind its length; session request of NetBIOS",
	Ports: "139 for a session request",
	Reads: "logins by NTLM; identity: dialect, native system; NTLM: computer, version of Windows",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 150, Looks: LooksSMB, New: NewSMB},
	},
})

// smbStream reads the beginning of a session of SMB: the dialect that the server chose, what both sides say of themselves while the user logs in,
// and the results of logins.
type smbStream struct {
	pos    [2]int
	modern bool    // the client offers version 2 or 3
	named  [2]bool // the NTLM message of a side was reported
	login  smbLogin
	done   bool
}

// NewSMB returns a dissector of SMB over TCP, versions 1 to 3.
func NewSMB() dissect.Stream {
	return &smbStream{login: smbLogin{Attempt: logins.Attempt{Protocol: "smb"}}}
}

// LooksSMB recognizes SMB 1 and 2 within a NetBIOS session message (RFC 1002 section 4.3.1), or the session request before it.
func LooksSMB(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if head[0] == 0x81 && ports.Has(139) {
		return match.AnyPrefix(head, "\x81\x00\x00\x44\x20", "\x81\x00\x00\x48\x20")
	}
	if head[0] != 0 {
		return match.No
	}
	if len(head) < 4 {
		return match.Maybe
	}
	return match.AnyPrefix(head[4:], "\xffSMB", "\xfeSMB", "\xfdSMB")
}

// Feed reads messages behind the four bytes of a NetBIOS session (RFC 1002 section 4.3.1) or of direct TCP (MS-SMB2 section 2.1): a type, which is zero for
// messages, and a length. It ends with the first login that succeeds.
func (s *smbStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	want := s.read(dir, head, sink)
	if dir == dissect.FromServer && (final || want == 0) {
		s.login.Result(dissect.OutcomeUnknown, sink)
	}
	return want
}

func (s *smbStream) read(dir int, head []byte, sink dissect.Sink) int {
	const lengthLen = 4
	for !s.done {
		at := s.pos[dir]
		if len(head) < at+lengthLen {
			return at + lengthLen
		}
		n := int(binary.BigEndian.Uint32(head[at:]) & 0xff_ffff)
		end := at + lengthLen + n
		switch {
		case end > dissect.HeadLimit:
			return 0
		case len(head) < end:
			return end
		}
		if head[at] == 0 {
			s.message(dir, head[at+lengthLen:end], sink)
		}
		s.pos[dir] = end
	}
	return 0
}

func (s *smbStream) message(dir int, b []byte, sink dissect.Sink) {
	const headLen1, headLen2, negotiate1, setup1, negotiate2, setup2 = 33, 66, 0x72, 0x73, 0, 1
	server := dir == dissect.FromServer
	switch {
	case len(b) >= headLen1 && bytes.HasPrefix(b, []byte("\xffSMB")):
		switch {
		case b[4] == negotiate1 && !server:
			s.modern = bytes.Contains(b, []byte("\x02SMB 2."))
		case b[4] == negotiate1:
			s.login.negotiated1(b)
			s.oldServer(sink)
		case b[4] == setup1 && server:
			s.identity(dir, b, sink)
			smb1Native(b, sink)
			s.done = s.login.answer1(b, sink)
		case b[4] == setup1:
			s.identity(dir, b, sink)
			s.login.request1(b, sink)
		}
	case len(b) >= headLen2 && bytes.HasPrefix(b, []byte("\xfeSMB")):
		switch command := binary.LittleEndian.Uint16(b[12:]); {
		case command == negotiate2 && server:
			smb2Server(b[headLen2-2:], sink)
		case command == setup2 && server:
			s.identity(dir, b, sink)
			s.done = s.login.answer2(b, sink)
		case command == setup2:
			s.identity(dir, b, sink)
			s.login.request2(b, sink)
		}
	}
}

// oldServer reports a server that answers with version 1: alone if the client offered later ones (MS-SMB2 section 3.3.5.3).
func (s *smbStream) oldServer(sink dissect.Sink) {
	class := "SMB1"
	if s.modern {
		class = "SMB1_only"
	}
	sink(&dissect.DeviceInfo{Protocol: "smb", Class: class})
}

// smb2Server reports the dialect and the GUID of a server (MS-SMB2 section 2.2.4). The wildcard answers an offer of version 1, and the negotiation goes on.
func smb2Server(b []byte, sink dissect.Sink) {
	const dialect, guid, wildcard = 4, 8, 0x02ff
	if len(b) < guid+16 {
		return
	}
	v := binary.LittleEndian.Uint16(b[dialect:])
	if v == wildcard {
		return
	}
	sink(&dissect.DeviceInfo{Protocol: "smb", Class: fmt.Sprintf("SMB%d.%d.%d", v>>8, v>>4&15, v&15), Serial: guidText(b[guid : guid+16])})
}

// guidText returns a GUID in its usual form (MS-DTYP section 2.3.4), "" if it is zero.
func guidText(b []byte) string {
	if [16]byte(b) == [16]byte{} {
		return ""
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}

// identity reports what the first NTLM message of a side that says something says of its sender.
func (s *smbStream) identity(dir int, b []byte, sink dissect.Sink) {
	if s.named[dir] {
		return
	}
	if d := announce.NTLM(b); d != nil {
		s.named[dir] = true
		sink(d)
	}
}

// smb1Native reports the native operating system and LAN manager in the answer to a login (MS-CIFS section 2.2.4.53.2, MS-SMB section 2.2.4.6.2): words,
// the number of bytes, a security blob in the extended form, and texts, which in Unicode are aligned to two bytes.
func smb1Native(b []byte, sink dissect.Sink) {
	const flags2, unicode, words, plain, extended = 10, 0x8000, 32, 3, 4
	n := int(b[words])
	at := words + 1 + 2*n
	if n != plain && n != extended || len(b) < at+2 {
		return
	}
	at += 2
	if n == extended {
		at += int(binary.LittleEndian.Uint16(b[words+1+6:]))
	}
	wide := binary.LittleEndian.Uint16(b[flags2:])&unicode != 0
	if wide && at%2 != 0 {
		at++
	}
	if at >= len(b) {
		return
	}
	system, rest := smbText(b[at:], wide)
	manager, _ := smbText(rest, wide)
	text := announce.Description([]byte(system + " " + manager))
	if text != "" {
		sink(&dissect.DeviceInfo{Protocol: "smb", Class: "SMB1", Description: text})
	}
}

// smbText reads a text that ends with zero.
func smbText(b []byte, wide bool) (text string, rest []byte) {
	if !wide {
		s, rest, _ := bytes.Cut(b, []byte{0})
		return announce.Text(s), rest
	}
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return announce.UTF16(b[:i]), b[i+2:]
		}
	}
	return announce.UTF16(b), nil
}
