// SPDX-License-Identifier: Apache-2.0

package decrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"stillwatch/sensor/internal/dissect"
)

// suite is a cipher suite (IANA registry "TLS Cipher Suites") as far as decryption depends on it.
type suite struct {
	kind    cipherKind
	key     int              // bytes of a key
	mac     int              // bytes of the MAC of CBC
	hash    func() hash.Hash // of the key derivation
	version uint16
}

type cipherKind uint8

const (
	gcm cipherKind = iota
	chacha
	cbc
)

const (
	version12 = 0x0303
	version13 = 0x0304
)

// suites are those that are decrypted: AES-GCM, ChaCha20-Poly1305 and, of TLS 1.2, AES-CBC.
var suites = map[uint16]suite{
	0x1301: {gcm, 16, 0, sha256.New, version13},
	0x1302: {gcm, 32, 0, sha512.New384, version13},
	0x1303: {chacha, 32, 0, sha256.New, version13},

	0x009c: {gcm, 16, 0, sha256.New, version12},
	0x009e: {gcm, 16, 0, sha256.New, version12},
	0xc02b: {gcm, 16, 0, sha256.New, version12},
	0xc02f: {gcm, 16, 0, sha256.New, version12},
	0x009d: {gcm, 32, 0, sha512.New384, version12},
	0x009f: {gcm, 32, 0, sha512.New384, version12},
	0xc02c: {gcm, 32, 0, sha512.New384, version12},
	0xc030: {gcm, 32, 0, sha512.New384, version12},
	0xcca8: {chacha, 32, 0, sha256.New, version12},
	0xcca9: {chacha, 32, 0, sha256.New, version12},
	0xccaa: {chacha, 32, 0, sha256.New, version12},

	0x002f: {cbc, 16, 20, sha256.New, version12},
	0x0033: {cbc, 16, 20, sha256.New, version12},
	0xc009: {cbc, 16, 20, sha256.New, version12},
	0xc013: {cbc, 16, 20, sha256.New, version12},
	0x0035: {cbc, 32, 20, sha256.New, version12},
	0x0039: {cbc, 32, 20, sha256.New, version12},
	0xc00a: {cbc, 32, 20, sha256.New, version12},
	0xc014: {cbc, 32, 20, sha256.New, version12},
	0x003c: {cbc, 16, 32, sha256.New, version12},
	0x0067: {cbc, 16, 32, sha256.New, version12},
	0xc023: {cbc, 16, 32, sha256.New, version12},
	0xc027: {cbc, 16, 32, sha256.New, version12},
	0x003d: {cbc, 32, 32, sha256.New, version12},
	0x006b: {cbc, 32, 32, sha256.New, version12},
	0xc024: {cbc, 32, 48, sha512.New384, version12},
	0xc028: {cbc, 32, 48, sha512.New384, version12},
}

// keys decrypt the records of one direction.
type keys struct {
	suite       suite
	aead        cipher.AEAD
	block       cipher.Block
	macKey      []byte
	macHash     func() hash.Hash
	iv          []byte
	seq         uint64
	macIsBehind bool // encrypt-then-MAC (RFC 7366)
}

// open decrypts the body of a record with its header. It returns the content and its type; ok is false if that fails.
func (k *keys) open(record []byte) (content []byte, typ byte, ok bool) {
	header, body := record[:5], record[5:]
	switch {
	case k.suite.kind == cbc:
		content, ok = k.openCBC(header, body)
	case k.suite.version == version13:
		return k.open13(header, body)
	default:
		content, ok = k.open12(header, body)
	}
	if ok {
		k.seq++
	}
	return content, header[0], ok
}

// open12 decrypts AEAD of TLS 1.2 (RFC 5288 section 3, RFC 7905 section 2).
func (k *keys) open12(header, body []byte) ([]byte, bool) {
	var nonce []byte
	switch {
	case k.suite.kind == chacha:
		nonce = k.nonce()
	case len(body) < 8:
		return nil, false
	default:
		nonce = append(append(nonce, k.iv...), body[:8]...)
		body = body[8:]
	}
	if len(body) < k.aead.Overhead() {
		return nil, false
	}
	content, err := k.aead.Open(nil, nonce, body, k.additional(header, len(body)-k.aead.Overhead()))
	return content, err == nil
}

// additional returns the additional data of TLS 1.2 (RFC 5246 section 6.2.3.3).
func (k *keys) additional(header []byte, n int) []byte {
	b := binary.BigEndian.AppendUint64(nil, k.seq)
	return append(b, header[0], header[1], header[2], byte(n>>8), byte(n))
}

// open13 decrypts a record of TLS 1.3 (RFC 8446 section 5.2). The type is behind the content, and padding behind the type.
func (k *keys) open13(header, body []byte) ([]byte, byte, bool) {
	content, err := k.aead.Open(nil, k.nonce(), body, header)
	if err != nil {
		return nil, 0, false
	}
	k.seq++
	for n := len(content) - 1; n >= 0; n-- {
		if content[n] != 0 {
			return content[:n], content[n], true
		}
	}
	return nil, 0, false
}

// nonce returns the nonce of RFC 8446 section 5.3 and RFC 7905.
func (k *keys) nonce() []byte {
	n := append([]byte(nil), k.iv...)
	for i := range 8 {
		n[len(n)-1-i] ^= byte(k.seq >> (8 * i))
	}
	return n
}

// openCBC decrypts AES-CBC of TLS 1.2, whose IV precedes each record (RFC 5246 section 6.2.3.2), and checks the MAC.
func (k *keys) openCBC(header, body []byte) ([]byte, bool) {
	size := k.block.BlockSize()
	var mac []byte
	if k.macIsBehind {
		if len(body) < k.suite.mac {
			return nil, false
		}
		body, mac = body[:len(body)-k.suite.mac], body[len(body)-k.suite.mac:]
		if !hmac.Equal(mac, k.sum(k.additional(header, len(body)), body)) {
			return nil, false
		}
	}
	if len(body) < 2*size || len(body)%size != 0 {
		return nil, false
	}
	plain := make([]byte, len(body)-size)
	cipher.NewCBCDecrypter(k.block, body[:size]).CryptBlocks(plain, body[size:])
	pad := int(plain[len(plain)-1]) + 1
	if pad > len(plain) {
		return nil, false
	}
	plain = plain[:len(plain)-pad]
	if k.macIsBehind {
		return plain, true
	}
	n := len(plain) - k.suite.mac
	if n < 0 || !hmac.Equal(plain[n:], k.sum(k.additional(header, n), plain[:n])) {
		clear(plain)
		return nil, false
	}
	return plain[:n], true
}

func (k *keys) sum(parts ...[]byte) []byte {
	h := hmac.New(k.macHash, k.macKey)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// keys12 derives the keys of a direction of TLS 1.2 (RFC 5246 section 6.3).
func keys12(s suite, master, clientRandom, serverRandom []byte, dir int, macIsBehind bool) *keys {
	iv := map[cipherKind]int{gcm: 4, chacha: 12}[s.kind]
	seed := append(append([]byte("key expansion"), serverRandom...), clientRandom...)
	block := prf(s.hash, master, seed, 2*(s.mac+s.key+iv))
	part := func(n int) []byte {
		pair := block[:2*n]
		block = block[2*n:]
		if dir == dissect.FromClient {
			return pair[:n]
		}
		return pair[n:]
	}
	k := &keys{suite: s, macIsBehind: macIsBehind, macKey: part(s.mac)}
	k.macHash = map[int]func() hash.Hash{20: sha1.New, 32: sha256.New, 48: sha512.New384}[s.mac]
	k.setCipher(part(s.key))
	k.iv = part(iv)
	return k
}

// setCipher sets up the cipher. The key has the length of the suite, so that there is no error.
func (k *keys) setCipher(key []byte) {
	if k.suite.kind == chacha {
		k.aead, _ = chacha20poly1305.New(key)
		return
	}
	k.block, _ = aes.NewCipher(key)
	if k.suite.kind == gcm {
		k.aead, _ = cipher.NewGCM(k.block)
	}
}

// prf is the pseudorandom function of TLS 1.2 (RFC 5246 section 5); seed begins with the label.
func prf(h func() hash.Hash, secret, seed []byte, n int) (out []byte) {
	sum := func(parts ...[]byte) []byte {
		m := hmac.New(h, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// keys13 derives the keys of a traffic secret of TLS 1.3 (RFC 8446 section 7.3); nil if the secret has not the length of the hash.
func keys13(s suite, secret []byte) *keys {
	if len(secret) != s.hash().Size() {
		return nil
	}
	k := &keys{suite: s, iv: expandLabel(s.hash, secret, "iv", 12)}
	k.setCipher(expandLabel(s.hash, secret, "key", s.key))
	return k
}

// expandLabel is HKDF-Expand-Label without context (RFC 8446 section 7.1).
func expandLabel(h func() hash.Hash, secret []byte, label string, n int) []byte {
	info := append([]byte{byte(n >> 8), byte(n), byte(6 + len(label))}, "tls13 "+label...)
	out, _ := hkdf.Expand(h, secret, string(append(info, 0)), n) // n is less than the limit
	return out
}
