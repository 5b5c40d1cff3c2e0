// SPDX-License-Identifier: Apache-2.0

package announce

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unicode/utf16"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// ntlmSignature begins every message of NTLM, also within SPNEGO.
const ntlmSignature = "NTLMSSP\x00"

// maxNames is the longest list of names in a challenge that is read, in bytes.
const maxNames = 4096

// NTLM reads what the sender of an NTLM message in b says of itself: the server in a challenge (MS-NLMP section 2.2.1.2), the client in its answer (2.2.1.3). Name
// is the computer, Firmware the version of Windows with its build; implementations without a build, such as Samba, leave it out. Challenge, hashes and
// user are not read. It returns nil if b has no such message.
func NTLM(b []byte) *dissect.DeviceInfo {
	const challenge, authenticate = 2, 3
	i := bytes.Index(b, []byte(ntlmSignature))
	if i < 0 || len(b) < i+12 {
		return nil
	}
	b = b[i:]
	d := &dissect.DeviceInfo{Protocol: "ntlm"}
	switch binary.LittleEndian.Uint32(b[8:]) {
	case challenge:
		ntlmChallenge(d, b)
	case authenticate:
		ntlmAuthenticate(d, b)
	}
	if d.Name == "" && d.Firmware == "" {
		return nil
	}
	return d
}

func ntlmChallenge(d *dissect.DeviceInfo, b []byte) {
	const flags, names, version = 20, 40, 48
	const end, computer, dnsComputer = 0, 1, 3
	if len(b) < flags+4 {
		return
	}
	ntlmVersion(d, b, flags, version)
	for list := ntlmField(b, names); len(list) >= 4; {
		id, n := binary.LittleEndian.Uint16(list), int(binary.LittleEndian.Uint16(list[2:]))
		if id == end || len(list) < 4+n {
			break
		}
		switch value := list[4 : 4+n]; {
		case id == computer && d.Name == "", id == dnsComputer && n > 0:
			d.Name = UTF16(value)
		}
		list = list[4+n:]
	}
}

func ntlmAuthenticate(d *dissect.DeviceInfo, b []byte) {
	const workstation, flags, version, unicode = 44, 60, 64, 1
	if len(b) < flags+4 {
		return
	}
	ntlmVersion(d, b, flags, version)
	if name := ntlmField(b, workstation); b[flags]&unicode != 0 {
		d.Name = UTF16(name)
	} else {
		d.Name = Text(name)
	}
}

// NTLMUser returns the user who proves a password in an NTLM message in b (MS-NLMP section 2.2.1.3). ok is false if b has no such message or logs in
// as nobody (section 3.2.5.1.2). The proof is not read.
func NTLMUser(b []byte) (user string, ok bool) {
	const authenticate, lmLen, ntLen, name, flags, unicode = 3, 12, 20, 36, 60, 1
	i := bytes.Index(b, []byte(ntlmSignature))
	if i < 0 || len(b) < i+flags+4 {
		return "", false
	}
	b = b[i:]
	if binary.LittleEndian.Uint32(b[8:]) != authenticate || binary.LittleEndian.Uint16(b[ntLen:]) == 0 && binary.LittleEndian.Uint16(b[lmLen:]) <= 1 {
		return "", false
	}
	value := ntlmField(b, name)
	if b[flags]&unicode != 0 {
		return UTF16(value), true
	}
	return Text(value), true
}

// ntlmField returns the value of a field: length, room, offset.
func ntlmField(b []byte, at int) []byte {
	if len(b) < at+8 {
		return nil
	}
	n, from := int(binary.LittleEndian.Uint16(b[at:])), binary.LittleEndian.Uint32(b[at+4:])
	if n > maxNames || uint64(from)+uint64(n) > uint64(len(b)) {
		return nil
	}
	return b[from : int(from)+n]
}

// ntlmVersion reads the version of the operating system (MS-NLMP section 2.2.2.10), if the flags say that there is one.
func ntlmVersion(d *dissect.DeviceInfo, b []byte, flags, at int) {
	const negotiated = 1 << 25
	if binary.LittleEndian.Uint32(b[flags:])&negotiated == 0 || len(b) < at+4 {
		return
	}
	build := binary.LittleEndian.Uint16(b[at+2:])
	if build == 0 {
		return
	}
	d.Class = "Windows"
	d.Firmware = strconv.Itoa(int(b[at])) + "." + strconv.Itoa(int(b[at+1])) + "." + strconv.Itoa(int(build))
}

// NTLMToken is NTLM for a message in Base64, as HTTP has it.
func NTLMToken(token []byte) *dissect.DeviceInfo {
	const longest = 8192
	token = bytes.TrimSpace(token)
	if len(token) > longest {
		return nil
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(token)))
	defer clear(b) // it has the proof of a password, which must not stay in memory
	n, _ := base64.StdEncoding.Decode(b, token)
	return NTLM(b[:n])
}

// UTF16 is Text for little-endian UTF-16.
func UTF16(b []byte) string {
	units := make([]uint16, min(len(b)/2, maxText))
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return parse.CleanText(parse.CString([]byte(string(utf16.Decode(units)))), maxText)
}
