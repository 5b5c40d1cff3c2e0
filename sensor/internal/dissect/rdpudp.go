// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
)

// looksRDPUDP tells the SYN of Remote Desktop over UDP (MS-RDPEUDP 2.2.2.1 and 3.1.5.1.1): nothing acknowledged, padded to the size of a
// packet, both sizes of packets within the bounds.
func looksRDPUDP(b []byte, _ Ports) bool {
	const synFlag, smallest, largest = 0x0001, 1132, 1232
	if len(b) < smallest || len(b) > 1500 || string(b[:4]) != "\xff\xff\xff\xff" || binary.BigEndian.Uint16(b[6:])&synFlag == 0 {
		return false
	}
	up, down := binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:])
	return up >= smallest && up <= largest && down >= smallest && down <= largest
}

// rdpUDP reads the handshake in Remote Desktop over UDP: TLS on a reliable connection, DTLS on a lossy one (MS-RDPEUDP 1.3.2). It
// follows headers whose length depends on version and acknowledgements, so its own mark is looked for. Of TLS what stands in the first
// datagram of each side is read.
type rdpUDP struct {
	seen int
	done [2]bool
	tls  tlsStream
	dtls dtlsConn
}

const rdpMaxDatagrams = 32

func (r *rdpUDP) datagram(dir int, data []byte, sink Sink) (more bool) {
	const shortestHead, longestHead, swapped = 7, 64, 7
	dir &= 1
	r.seen++
	if len(data) > swapped && data[0] == tlsHandshake { // version 3 exchanges bytes 0 and 7 (MS-RDPEUDP2 2.2.1)
		data = bytes.Clone(data)
		data[0], data[swapped] = data[swapped], data[0]
	}
	for at := shortestHead; !r.done[dir] && at+tlsRecordHead < len(data) && at < longestHead; at++ {
		if data[at] != tlsHandshake {
			continue
		}
		rest := data[at:]
		switch {
		case rest[1] == 3 && rdpHello(rest, tlsRecordHead) && tlsLooks(rest):
			r.tls.feed(dir, rest, true, sink)
			r.done[dir] = true
		case dtlsLooks(rest):
			r.done[dir] = !r.dtls.datagram(dir, rest, sink)
			at = longestHead
		}
	}
	return r.seen < rdpMaxDatagrams && !(r.done[FromClient] && r.done[FromServer])
}

// rdpHello reports whether a hello of either side stands after a record header of n bytes.
func rdpHello(b []byte, n int) bool {
	return len(b) > n && (b[n] == tlsClientHello || b[n] == tlsServerHello)
}
