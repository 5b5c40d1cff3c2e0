// SPDX-License-Identifier: Apache-2.0

package dissecttest

// DHCPPacket builds a request with options: code, value, code, value …
func DHCPPacket(options ...any) []byte {
	b := make([]byte, 240, 512)
	b[0], b[1], b[2] = 1, 1, 6
	copy(b[28:], "\x02\x00\x00\x00\x00\x07")
	copy(b[236:], "\x63\x82\x53\x63")
	return append(DHCPOptions(b, options...), 255)
}

// DHCPOptions appends options to b: code, value, code, value …
func DHCPOptions(b []byte, options ...any) []byte {
	for i := 0; i < len(options); i += 2 {
		v := options[i+1].(string)
		b = append(append(b, byte(options[i].(int)), byte(len(v))), v...)
	}
	return b
}
