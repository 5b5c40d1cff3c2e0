// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// LooksSSDP recognizes searches, announcements and, on its port or with a USN, responses of SSDP.
func LooksSSDP(b []byte, ports dissect.Ports) bool {
	switch {
	case bytes.HasPrefix(b, []byte("M-SEARCH * HTTP/1.")):
		return true
	case bytes.HasPrefix(b, []byte("NOTIFY * HTTP/1.")), bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")):
		return ports.Has(1900) || parse.FoldContains(b, "\nusn:")
	}
	return false
}

// LooksWSDiscovery recognizes the namespaces of WS-Discovery 1.0 and 1.1.
func LooksWSDiscovery(b []byte, _ dissect.Ports) bool {
	return match.AnyPrefix(bytes.TrimLeft(b, "\xef\xbb\xbf \r\n"), "<") == match.Yes &&
		(bytes.Contains(b, []byte("schemas.xmlsoap.org/ws/2005/04/discovery")) || bytes.Contains(b, []byte("docs.oasis-open.org/ws-dd/ns/discovery")))
}
