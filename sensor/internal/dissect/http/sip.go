// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksSIPDatagram also accepts what phones send on the port of SIP to keep a mapping alive: line ends (RFC 5626
// section 3.5.1) and, from some, the word "hello".
func LooksSIPDatagram(b []byte, ports dissect.Ports) bool {
	if ports.Has(5060) && (string(b) == "\r\n\r\n" || string(b) == "\r\n" || string(b) == "hello") {
		return true
	}
	return len(b) > 0 && (LooksSIPRequest(b, true, ports) == match.Yes || LooksSIPResponse(b, true, ports) == match.Yes)
}

// LooksSIPRequest recognizes the request line of SIP.
func LooksSIPRequest(head []byte, final bool, _ dissect.Ports) match.Verdict {
	return requestLine(head, final, " SIP/2.0", func(_, target []byte) bool {
		return bytes.HasPrefix(target, []byte("sip:")) || bytes.HasPrefix(target, []byte("sips:"))
	})
}

// LooksSIPResponse recognizes the status line of SIP.
func LooksSIPResponse(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return statusLine(head, "SIP/2.")
}
