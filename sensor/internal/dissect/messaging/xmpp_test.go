// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// TestXMPPSearchesEachByteOnce checks that a stream that arrives byte by byte is not searched from its start each time.
func TestXMPPSearchesEachByteOnce(t *testing.T) {
	var x xmppStream
	head := []byte("<stream:stream to='a'>" + strings.Repeat("<starttl ", 400))
	for n := range head {
		x.Feed(dissect.FromClient, head[:n+1], false, func(dissect.Fact) {})
		if behind := n + 1 - x.scanned[dissect.FromClient]; behind > len("<starttls") {
			t.Fatalf("%d bytes are searched again at %d", behind, n)
		}
	}
}
