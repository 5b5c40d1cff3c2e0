// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/tls"
)

// LooksRDPUDP recognizes the SYN of Remote Desktop over UDP (MS-RDPEUDP 2.2.2.1 and 3.1.5.1.1): nothing acknowledged,
// padded to the size of a packet, both packet sizes within their bounds.
func LooksRDPUDP(b []byte, _ dissect.Ports) bool {
	const synFlag, smallest, largest = 0x0001, 1132, 1232
	if len(b) < smallest || len(b) > 1500 || string(b[:4]) != "\xff\xff\xff\xff" || binary.BigEndian.Uint16(b[6:])&synFlag == 0 {
		return false
	}
	up, down := binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	return up >= smallest && up <= largest && down >= smallest && down <= largest
}

// rdpUDP reads the handshake in Remote Desktop over UDP: TLS on a reliable connection, DTLS on a lossy one (MS-RDPEUDP
// 1.3.2). The length of the headers before it depends on version and acknowledgements, so the handshake is found by its
// own header. Of TLS only the first datagram of each side is read.
type rdpUDP struct {
	seen int
	done [2]bool
	tls  tls.Stream
	dtls tls.DTLS
}

// NewRDPUDP returns a dissector of RDP over UDP.
func NewRDPUDP() dissect.Datagrams { return new(rdpUDP) }

const rdpMaxDatagrams = 32

func (r *rdpUDP) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	const shortestHead, longestHead, swapped = 7, 64, 7
	dir &= 1
	r.seen++
	if len(data) > swapped && data[0] == tls.RecordHandshake { // version 3 swaps bytes 0 and 7 (MS-RDPEUDP2 2.2.1)
		data = bytes.Clone(data)
		data[0], data[swapped] = data[swapped], data[0]
	}
	for at := shortestHead; !r.done[dir] && at+tls.RecordHeaderLen < len(data) && at < longestHead; at++ {
		if data[at] != tls.RecordHandshake {
			continue
		}
		rest := data[at:]
		switch {
		case rest[1] == 3 && rdpHello(rest, tls.RecordHeaderLen) && tls.IsStart(rest):
			r.tls.Feed(dir, rest, true, sink)
			r.done[dir] = true
		case tls.LooksDTLS(rest, dissect.Ports{}):
			r.done[dir] = !r.dtls.Datagram(dir, rest, sink)
			at = longestHead
		}
	}
	return r.seen < rdpMaxDatagrams && !(r.done[dissect.FromClient] && r.done[dissect.FromServer])
}

// rdpHello reports whether a hello of either side follows a record header of n bytes.
func rdpHello(b []byte, n int) bool {
	return len(b) > n && (b[n] == tls.MessageClientHello || b[n] == tls.MessageServerHello)
}
