// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
)

// smbLogin follows the logins of a session of SMB by NTLM, or by a password in version 1. The status of the answer that has the number of the request is the result.
type smbLogin struct {
	logins.Attempt
	number uint64 // of the request with the proof or the password
	clear  bool   // version 1: the server asks for passwords in clear text
}

// Values of NTSTATUS (MS-ERREF section 2.3.1).
const (
	statusSuccess        = 0
	statusPending        = 0x103
	statusMoreProcessing = 0xc0000016
	statusNoSuchUser     = 0xc0000064
	statusWrongPassword  = 0xc000006a
	statusLogonFailure   = 0xc000006d
	statusLockedOut      = 0xc0000234
)

// result reports the result of a login: status is that of the answer, and guest is true if the server accepted the client without checking who it is. It reports
// whether the client is logged in. A right password may be refused for other reasons (expired, disabled, not at this hour): then the result is unknown.
func (l *smbLogin) result(number uint64, status uint32, guest bool, sink dissect.Sink) (success bool) {
	if status == statusPending || status == statusMoreProcessing {
		return false
	}
	success = status == statusSuccess && !guest
	if number != l.number {
		return success
	}
	switch {
	case success:
		l.Result(dissect.OutcomeSuccess, sink)
	case status == statusNoSuchUser, status == statusWrongPassword, status == statusLogonFailure, status == statusLockedOut:
		l.Result(dissect.OutcomeFailure, sink)
	default:
		l.Result(dissect.OutcomeUnknown, sink)
	}
	return success
}

// prove notes an NTLM message with a proof.
func (l *smbLogin) prove(number uint64, b []byte, sink dissect.Sink) {
	user, ok := announce.NTLMUser(b)
	if !ok {
		return
	}
	l.begin(number, sink)
	l.Name([]byte(user))
	l.Proof()
}

// begin notes the number of a request. A login that has no answer yet stays without a result.
func (l *smbLogin) begin(number uint64, sink dissect.Sink) {
	l.Result(dissect.OutcomeUnknown, sink)
	l.number = number
}

func smb2Number(b []byte) uint64 { return binary.LittleEndian.Uint64(b[24:]) }

// request2 reads a SESSION_SETUP request (MS-SMB2 section 2.2.5).
func (l *smbLogin) request2(b []byte, sink dissect.Sink) { l.prove(smb2Number(b), b, sink) }

// answer2 reads a SESSION_SETUP response (MS-SMB2 section 2.2.6): guest or no user, although the status is success.
func (l *smbLogin) answer2(b []byte, sink dissect.Sink) (success bool) {
	const status, flags, anybody = 8, 66, 3
	guest := len(b) >= flags+2 && binary.LittleEndian.Uint16(b[flags:])&anybody != 0
	return l.result(smb2Number(b), binary.LittleEndian.Uint32(b[status:]), guest, sink)
}

func smb1Number(b []byte) uint64 { return uint64(binary.LittleEndian.Uint16(b[30:])) }

// smb1Words returns the parameters and the data of a message of version 1 (MS-CIFS section 2.2.3), nil if it is cut.
func smb1Words(b []byte) (words, data []byte) {
	const count = 32
	at := count + 1 + 2*int(b[count])
	if len(b) < at+2 {
		return nil, nil
	}
	return b[count+1 : at], b[at+2:]
}

// negotiated1 reads whether the server asks for passwords in clear text (MS-CIFS section 2.2.4.52.2).
func (l *smbLogin) negotiated1(b []byte) {
	const securityMode, encrypted = 2, 2
	words, _ := smb1Words(b)
	l.clear = len(words) > securityMode && words[securityMode]&encrypted == 0
}

// request1 reads a SESSION_SETUP_ANDX request: an NTLM message (MS-SMB section 2.2.4.6.1), or proofs or passwords and the user (MS-CIFS section 2.2.4.53.1). The texts in
// Unicode are aligned to two bytes.
func (l *smbLogin) request1(b []byte, sink dissect.Sink) {
	const flags2, unicode, extendedLen, plainLen, oemLen, unicodeLen = 10, 0x8000, 24, 26, 14, 16
	words, data := smb1Words(b)
	if len(words) == extendedLen {
		l.prove(smb1Number(b), b, sink)
	}
	if len(words) != plainLen {
		return
	}
	oem, wide := int(binary.LittleEndian.Uint16(words[oemLen:])), int(binary.LittleEndian.Uint16(words[unicodeLen:]))
	if oem <= 1 && wide <= 1 || len(data) < oem+wide {
		return // as nobody, or by a name alone
	}
	l.begin(smb1Number(b), sink)
	names := data[oem+wide:]
	inUnicode := binary.LittleEndian.Uint16(b[flags2:])&unicode != 0
	if inUnicode && (len(b)-len(names))%2 != 0 && len(names) > 0 {
		names = names[1:]
	}
	user, _ := smbText(names, inUnicode)
	l.Name([]byte(user))
	switch {
	case !l.clear:
		l.Proof()
	case wide > 1:
		l.unicodePassword(data[oem : oem+wide])
	default:
		l.Password(trimNull(data[:oem]))
	}
}

// unicodePassword compares a password in UTF-16 of which only ASCII matters, as default passwords have nothing else.
func (l *smbLogin) unicodePassword(b []byte) {
	var buf [64]byte
	text := buf[:0]
	for i := 0; i+1 < len(b) && len(text) < len(buf); i += 2 {
		c := b[i]
		if b[i+1] != 0 {
			c = 0xff
		}
		text = append(text, c)
	}
	l.Password(trimNull(text))
	clear(buf[:])
}

func trimNull(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == 0 {
		return b[:n-1]
	}
	return b
}

// answer1 reads a SESSION_SETUP_ANDX response, whose status is an NTSTATUS or an older error (MS-CIFS section 2.2.3.1).
func (l *smbLogin) answer1(b []byte, sink dissect.Sink) (success bool) {
	const status, flags2, ntStatus, action, asGuest = 5, 10, 0x4000, 4, 1
	const serverError, badPassword = 2, 2
	s := binary.LittleEndian.Uint32(b[status:])
	if binary.LittleEndian.Uint16(b[flags2:])&ntStatus == 0 && s == badPassword<<16|serverError {
		s = statusLogonFailure
	}
	words, _ := smb1Words(b)
	guest := len(words) > action && words[action]&asGuest != 0
	return l.result(smb1Number(b), s, guest, sink)
}
