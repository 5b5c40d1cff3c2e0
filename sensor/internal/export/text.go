// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"stillwatch/schemas"
)

// instant is a time in nanoseconds since 1970 on the capture clock. Zero means unknown.
type instant int64

func (t instant) in(zone Zone) time.Time { return time.Unix(0, int64(t)).In(zone) }

// text is a string that comes from the network. JSON escapes its control characters.
type text string

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) { return schemas.AppendString(nil, string(t)), nil }

// appendLine appends a value as one line of JSON.
func appendLine(b []byte, v any) ([]byte, error) {
	w := bytes.NewBuffer(b)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return w.Bytes(), err
}

// oneLine returns s as valid UTF-8 without control characters, which would end a line or a cell: they become \x0a and the like.
func oneLine(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s { // invalid UTF-8 becomes U+FFFD
		switch {
		case !unprintable(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError
}

// valid returns s as valid UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// digest identifies a session: its start, addresses, ports, VLANs and tunnels.
func digest(s *schemas.Session) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %s %s %v", s.Start, s.Proto, socket(s.Initiator), socket(s.Responder), s.VLANs)
	for i := range s.Encap {
		e := &s.Encap[i]
		fmt.Fprintf(h, " %s %d %s %s", e.Type, e.VLAN, e.OuterSrc, e.OuterDst)
		if e.ID != nil {
			fmt.Fprintf(h, " %d", *e.ID)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// uid returns the connection id of a session, in the form of Zeek's: C and 96 bits to the base 62.
func uid(s *schemas.Session) string {
	d := digest(s)
	return "C" + new(big.Int).SetBytes(d[:12]).Text(62)
}

// flowID returns the same for Suricata. It has 53 bits, so that programs which read numbers as floating point keep it.
func flowID(s *schemas.Session) uint64 {
	d := digest(s)
	return binary.BigEndian.Uint64(d[:8]) >> 11
}

// socket returns address:port, or the address alone.
func socket(e schemas.Endpoint) string {
	switch {
	case e.Port == nil:
		return e.IP.String()
	case e.IP.Is6():
		return fmt.Sprintf("[%s]:%d", e.IP, *e.Port)
	}
	return fmt.Sprintf("%s:%d", e.IP, *e.Port)
}

// tlsOf returns the handshake of a session over TLS, DTLS or QUIC, or an empty one.
func tlsOf(s *schemas.Session) *schemas.TLS {
	switch {
	case s.TLS != nil:
		return s.TLS
	case s.QUIC != nil:
		return s.QUIC
	}
	return &schemas.TLS{}
}

// orEmpty returns p, or a pointer to a zero value.
func orEmpty[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}
