// SPDX-License-Identifier: Apache-2.0

package trace

import "fmt"

// fits pads or truncates a text to n bytes.
func fits(s string, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' '
	}
	copy(b, s)
	return b
}

// httpDialogue is a cleartext request and its response.
func httpDialogue(site string, agent int) *dialogue {
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
		"Microsoft-CryptoAPI/10.0", "curl/8.14.1", "Debian APT-HTTP/1.3 (3.0.3)",
	}
	request := fmt.Sprintf("GET /item?id=0000000000000000 HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n\r\n",
		site, agents[agent%len(agents)])
	answer := "HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nContent-Type: text/html\r\nContent-Length: 65536\r\n\r\n<!doctype html><title>" + site
	return &dialogue{proto: tcp, port: 80, bulk: bulkHTTP,
		msgs: []msg{{up: true, data: []byte(request)}, {data: fits(answer, 900)}}}
}

// sshDialogue is the exchange of versions and algorithms, followed by an encrypted login with a key and the start of
// a terminal. The sizes are those of OpenSSH with ChaCha20, so that a reader infers a successful login.
func sshDialogue(version string) *dialogue {
	list := func(b []byte, s string) []byte {
		return block(b, 4, func(b []byte) []byte { return append(b, s...) })
	}
	kex := func(host string) []byte {
		return block(nil, 4, func(b []byte) []byte {
			b = append(append(b, 6, 20), make([]byte, 16)...)
			b = list(b, "mlkem768x25519-sha256,curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256")
			b = list(b, host)
			for range 2 {
				b = list(b, "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes128-gcm@openssh.com")
			}
			for range 2 {
				b = list(b, "umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512")
			}
			for range 2 {
				b = list(b, "none,zlib@openssh.com")
			}
			return append(b, make([]byte, 4+4+1+4+6)...)
		})
	}
	packet := func(kind byte, body []byte) []byte {
		return block(nil, 4, func(b []byte) []byte {
			return append(append(append(b, 6, kind), body...), make([]byte, 6)...)
		})
	}
	share := list(nil, string(make([]byte, 32))) // of X25519 (RFC 8731)
	hostKey := list(nil, string(list(list(nil, "ssh-ed25519"), string(make([]byte, 32)))))
	signature := list(nil, string(list(list(nil, "ssh-ed25519"), string(make([]byte, 64)))))
	return &dialogue{proto: tcp, port: 22, bulk: bulkSSH, msgs: []msg{
		{up: true, data: []byte("SSH-2.0-" + version + "\r\n")},
		{data: []byte("SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n")},
		{up: true, data: kex("ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512"), patch: 6, random: 16},
		{data: kex("rsa-sha2-512,ssh-ed25519"), patch: 6, random: 16, salt: 1},
		{up: true, data: packet(30, share), patch: 10, random: 32},
		{data: append(packet(31, append(hostKey, append(share, signature...)...)), packet(21, nil)...), patch: 10 + 55, random: 32, salt: 2},
		{up: true, data: packet(21, nil)},
		sealed(true, 44), sealed(false, 44), // service request and accept
		sealed(true, 68), sealed(false, 52), // method none, refused
		sealed(true, 500), sealed(false, 28), // key accepted
		sealed(true, 112), sealed(false, 604), // terminal, greeting
	}}
}

// sealed returns an encrypted SSH packet.
func sealed(up bool, n int) msg {
	return msg{up: up, data: record(0, n)[5:], random: 8, salt: uint64(n)}
}

// rtspDialogue is the request of a recorder for a camera stream, interleaved or over UDP.
func rtspDialogue(camera, server string, interleaved bool) *dialogue {
	url := "rtsp://" + camera + ":554/Streaming/Channels/101"
	transport, then := "RTP/AVP;unicast;client_port=52000-52001", bulkNone
	if interleaved {
		transport, then = "RTP/AVP/TCP;unicast;interleaved=0-1", bulkInterleaved
	}
	sdp := "v=0\r\no=- 1 1 IN IP4 " + camera + "\r\ns=Media Presentation\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	d := &dialogue{proto: tcp, port: 554, bulk: then}
	say := func(seq int, method, headers string) {
		d.msgs = append(d.msgs, msg{up: true, data: fmt.Appendf(nil,
			"%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: NVR/4.2\r\n%s\r\n", method, url, seq, headers)})
	}
	hear := func(seq int, status, rest string) {
		d.msgs = append(d.msgs, msg{data: fmt.Appendf(nil, "RTSP/1.0 %s\r\nCSeq: %d\r\nServer: %s\r\n%s", status, seq, server, rest)})
	}
	say(1, "OPTIONS", "")
	hear(1, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n")
	say(2, "DESCRIBE", "Accept: application/sdp\r\n")
	hear(2, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"IP Camera\", nonce=\"5f0c\"\r\n\r\n")
	say(3, "DESCRIBE", "Accept: application/sdp\r\nAuthorization: Digest username=\"recorder\", realm=\"IP Camera\", nonce=\"5f0c\", uri=\"/\", response=\"0\"\r\n")
	hear(3, "200 OK", fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp))
	say(4, "SETUP", "Transport: "+transport+"\r\n")
	hear(4, "200 OK", "Session: 77;timeout=60\r\nTransport: "+transport+"\r\n\r\n")
	say(5, "PLAY", "Session: 77\r\nRange: npt=0.000-\r\n")
	hear(5, "200 OK", "Session: 77\r\n\r\n")
	return d
}
