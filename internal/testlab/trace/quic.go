// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// initialSalt is that of QUIC version 1 (RFC 9001 section 5.2). It is only read.
var initialSalt = []byte{
	0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
}

// initialSize is the minimum size of a datagram with an Initial packet (RFC 9000 section 14.1).
const initialSize = 1200

// quicDialogue opens a QUIC connection: Initial packets with the hellos, protected as in RFC 9001 so that a
// reader can decrypt them, and a Handshake packet with a valid header only.
func quicDialogue(name string, id uint64) (*dialogue, error) {
	c := client{
		suites: []uint16{0x1301, 0x1302, 0x1303}, groups: []uint16{0x11ec, 0x1d, 0x17}, alpn: []string{"h3"}, tls13: true, quic: true,
	}
	dest := be.AppendUint64(nil, mix(id))
	hello, err := initial(dest, dest, nil, "client in", c.hello(name)[5:])
	if err != nil {
		return nil, err
	}
	length := int(be.Uint16(c.answer(nil)[3:]))
	answer, err := initial(dest, nil, dest[:4], "server in", c.answer(nil)[5:5+length])
	if err != nil {
		return nil, err
	}
	handshake := append([]byte{0xe1, 0, 0, 0, 1, 4}, dest[:4]...)
	handshake = append(handshake, 0, 0x44, 0x00)
	return &dialogue{proto: udp, port: 443, bulk: bulkQUIC, msgs: []msg{
		{up: true, data: hello}, {data: answer}, {up: true, data: append(handshake, record(0, 1024)[5:]...)},
	}}, nil
}

// initial builds an Initial packet (RFC 9000 section 17.2.2) from a handshake message. secret is the connection id
// that the keys are made from, to and from are those in the header.
func initial(secret, to, from []byte, side string, message []byte) ([]byte, error) {
	const number = 4 // bytes of the packet number
	b := block([]byte{0xc0 | (number - 1), 0, 0, 0, 1}, 1, func(b []byte) []byte { return append(b, to...) })
	b = block(b, 1, func(b []byte) []byte { return append(b, from...) })
	b = append(b, 0) // no token
	head := len(b) + 2 + number
	b = be.AppendUint16(b, 0x4000|uint16(initialSize-len(b)-2))
	b = be.AppendUint32(b, 1)
	frames := be.AppendUint16([]byte{0x06, 0}, 0x4000|uint16(len(message)))
	frames = append(frames, message...)
	room := initialSize - head - 16
	if len(frames) > room {
		return nil, fmt.Errorf("a hello of %d bytes does not fit an Initial packet", len(message))
	}
	return protect(b, append(frames, make([]byte, room-len(frames))...), secret, side, number)
}

// protect encrypts the payload and masks the packet number (RFC 9001 sections 5.3 and 5.4).
func protect(head, payload, secret []byte, side string, number int) ([]byte, error) {
	first, err := hkdf.Extract(sha256.New, secret, initialSalt)
	if err != nil {
		return nil, err
	}
	own, err := expandLabel(first, side, 32)
	if err != nil {
		return nil, err
	}
	var keys [3][]byte
	for i, label := range []string{"quic key", "quic iv", "quic hp"} {
		if keys[i], err = expandLabel(own, label, []int{16, 12, 16}[i]); err != nil {
			return nil, err
		}
	}
	key, err := aes.NewCipher(keys[0])
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(key)
	if err != nil {
		return nil, err
	}
	hide, err := aes.NewCipher(keys[2])
	if err != nil {
		return nil, err
	}
	nonce := keys[1]
	for i, x := range head[len(head)-number:] {
		nonce[len(nonce)-number+i] ^= x
	}
	at := len(head) - number
	b := seal.Seal(head, nonce, payload, head)
	mask := make([]byte, aes.BlockSize)
	hide.Encrypt(mask, b[at+4:at+4+aes.BlockSize])
	b[0] ^= mask[0] & 0x0f
	for i := range number {
		b[at+i] ^= mask[1+i]
	}
	return b, nil
}

// expandLabel is HKDF-Expand-Label with SHA-256 and no context (RFC 8446 section 7.1).
func expandLabel(secret []byte, label string, n int) ([]byte, error) {
	info := be.AppendUint16(nil, uint16(n))
	info = block(info, 1, func(b []byte) []byte { return append(b, "tls13 "+label...) })
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
}
