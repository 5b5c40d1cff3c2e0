// SPDX-License-Identifier: Apache-2.0

package dissect

// streamIdentifiers are the protocols over TCP, by whose bytes they are told: index 0 what a client sends first, index 1
// what a server sends first. The first entry that does not say no decides.
var streamIdentifiers = [2][]streamIdentifier{
	FromClient: {
		{"tls", looksTLS, func() streamDissector { return new(tlsStream) }},
		httpIdentifier,
		rtspIdentifier,
		{"ssh", looksSSH, func() streamDissector { return new(sshStream) }},
		{"dns", looksDNSStream, func() streamDissector { return new(dnsStream) }},
	},
	FromServer: {
		{"tls", looksTLS, func() streamDissector { return new(tlsStream) }},
		{"http", looksHTTPResponse, httpIdentifier.open},
		{"rtsp", looksRTSPResponse, rtspIdentifier.open},
		{"ssh", looksSSH, func() streamDissector { return new(sshStream) }},
		{"dns", looksDNSStream, func() streamDissector { return new(dnsStream) }},
	},
}

// looksTLS waits for a record header and the head of a handshake message, or for the sums of an SSL 2.0 hello, with which
// tlsLooks is sure.
func looksTLS(head []byte, final bool, _ Ports) verdict {
	sure := 9
	if head[0]&0x80 != 0 {
		sure = 13
	}
	switch {
	case len(head) >= sure:
		if tlsLooks(head) {
			return yes
		}
		return no
	case sure == 13:
		if len(head) < 3 || head[2] == ssl2ClientHello || head[2] == ssl2ServerHello {
			return maybe
		}
		return no
	case head[0] < tlsChangeCipherSpec || head[0] > tlsHeartbeat || len(head) >= 3 && !tlsLooks(head):
		return no
	case final && len(head) >= tlsRecordHead:
		return yes
	}
	return maybe
}

func looksSSH(head []byte, _ bool, _ Ports) verdict { return startsWith(head, "SSH-") }
