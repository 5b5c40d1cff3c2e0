// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"bytes"
	"encoding/binary"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/tls"
)

// Google QUIC before the standard: a public header (Q043 and earlier) or an early long header (Q046), and a client
// hello of its own in clear text, "CHLO", a table of tagged values. (QUIC Crypto, Langley and Chang.)
const (
	gquicFlagVersion = 0x01
	gquicFlagConnID  = 0x08
	gquicMaxTags     = 128
	gquicHello       = "CHLO"
)

// googleVersion reports whether b is a version of Google QUIC whose hello is in clear text: Q followed by three digits, below Q050.
func googleVersion(b []byte) bool {
	return len(b) >= 4 && b[0] == 'Q' && b[1] == '0' && b[2] >= '2' && b[2] <= '4' && b[3] >= '0' && b[3] <= '9'
}

// isGoogle reports whether the version is one of Google's with an encrypted hello.
func isGoogle(version uint32) bool {
	return version == googleQ050 || version == googleT050 || version == googleT051
}

// looksGoogle reports whether data is a packet of Google QUIC that names its version.
func looksGoogle(data []byte) bool {
	const publicHead, connID = 1, 8
	if len(data) < publicHead+connID+4 {
		return false
	}
	if data[0]&0x80 != 0 {
		return googleVersion(data[1:5])
	}
	return data[0]&gquicFlagVersion != 0 && data[0]&gquicFlagConnID != 0 && googleVersion(data[publicHead+connID:])
}

// google reads the client hello of Google QUIC and keeps only the server name. It is reported as a TLSClientHello
// without ciphers and with version 0.
func (q *Conn) google(dir int, data []byte, sink dissect.Sink) {
	if dir != dissect.FromClient || q.done[dissect.FromClient] {
		return
	}
	if name := gquicServerName(data); name != "" {
		q.done[dissect.FromClient], q.done[dissect.FromServer] = true, true
		sink(&dissect.TLSClientHello{QUIC: true, SNI: name})
	}
}

// gquicServerName finds the client hello in the packet and returns its tag SNI. The hello is in a stream frame whose
// header varies by version, so it is found by its own tag.
func gquicServerName(data []byte) string {
	at := bytes.Index(data, []byte(gquicHello))
	if at < 0 || len(data) < at+8 {
		return ""
	}
	const tagSize = 8
	tags := int(binary.LittleEndian.Uint16(data[at+4:]))
	table := data[at+8:]
	if tags > gquicMaxTags || len(table) < tags*tagSize {
		return ""
	}
	values := table[tags*tagSize:]
	from := 0
	for i := range tags {
		tag := table[i*tagSize:]
		to := int(binary.LittleEndian.Uint32(tag[4:]))
		if to < from || to > len(values) {
			return ""
		}
		if string(tag[:4]) == "SNI\x00" && to-from <= tls.MaxName {
			return strings.ToLower(string(values[from:to]))
		}
		from = to
	}
	return ""
}
