// SPDX-License-Identifier: Apache-2.0

package fingerprint_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/tls"
	. "stillwatch/sensor/internal/fingerprint"
)

// helloBody returns the body of a ClientHello from the hexadecimal digits of version, ciphers and extensions.
func helloBody(t *testing.T, version, ciphers, extensions string) []byte {
	b := unhex(t, version)
	b = append(append(b, make([]byte, 32)...), 0) // random, no session id
	if b[0] == 0xfe {
		b = append(b, 0) // no cookie
	}
	c, e := unhex(t, ciphers), unhex(t, extensions)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(c))), c...)
	b = append(b, 1, 0)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(e))), e...)
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNPFClient checks fingerprints of hellos. The first three are from the tests of Mercury: the bytes and the string of the first are those
// of unit_test in src/libmerc/tls.h; of the other two the strings are in the unit test of its CBOR fingerprints, and the hellos here have
// the extensions that they name.
func TestNPFClient(t *testing.T) {
	for name, tc := range map[string]struct{ version, ciphers, extensions, want string }{
		"Mercury, GREASE and unknown extensions": {"0303", "1301",
			"003f000101 ff2b000101 1a1a0000 2a2a0000 ff2b000102 ff2b000102 ff2b000102",
			"tls/1/(0303)(1301)[(003f)(0a0a)(0a0a)(ff2b)(ff2b)(ff2b)(ff2b)]"},
		"Mercury, TLS 1.3": {"0303", "130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035",
			"0033 0002 0000 0000 0003 010203 000a00080006001d00170018 000500050100000000 000b00020100" +
				"000d0012001004030804040105030805050108060601 0010000e000c02683208687474702f312e31 00120000 00170000 001b0003020002" +
				"0023 0001 ff 0029 0000 002b0009080304030303020301 002d00020101 ff01 0001 00",
			"tls/1/(0303)(130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035)[(0000)(000500050100000000)" +
				"(000a00080006001d00170018)(000b00020100)(000d0012001004030804040105030805050108060601)" +
				"(0010000e000c02683208687474702f312e31)(0012)(0017)(001b0003020002)(0023)(0029)(002b0009080304030303020301)" +
				"(002d00020101)(0033)(ff01)]"},
		"Mercury, DTLS": {"fefd", "c02c",
			"000b000403000102 000a000c000a001d0017001e00190018 00160000" +
				"000d0030002e040305030603080708080809080a080b080408050806040105010601030302030301020103020202040205020602",
			"dtls/1/(fefd)(c02c)[(000a000c000a001d0017001e00190018)(000b000403000102)" +
				"(000d0030002e040305030603080708080809080a080b080408050806040105010601030302030301020103020202040205020602)(0016)]"},
		"GREASE in lists": {"0303", "3a3a1301", "000a000600047a7a001d 002b0005044a4a0304 000a00020000",
			"tls/1/(0303)(0a0a1301)[(000a00020000)(000a000600040a0a001d)(002b0005040a0a0304)]"},
		"no extensions": {"0301", "002f", "", "tls/1/(0301)(002f)[]"},
		"cut short":     {"0303", "1301", "002b0009040304 000d", "tls/1/(0303)(1301)[]"},
	} {
		h := tls.ParseClientHello(helloBody(t, tc.version, tc.ciphers, tc.extensions), tc.version == "fefd")
		if got := NPFClient(h); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, tc.want)
		}
		var none *App
		if got := none.With(h).Hello.NPF; got != tc.want {
			t.Errorf("%s: %s in the session", name, got)
		}
	}
	if s := NPFClient(&dissect.TLSClientHello{QUIC: true, Version: 0x0303, Ciphers: []uint16{0x1301}}); s != "" {
		t.Errorf("%s for QUIC", s)
	}
}

// TestNPFClientIgnoresOrder checks that a client that shuffles its extensions, as browsers do, has one fingerprint.
func TestNPFClientIgnoresOrder(t *testing.T) {
	a := NPFClient(tls.ParseClientHello(helloBody(t, "0303", "1301", "000b00020100 00230000 000a00040002001d"), false))
	b := NPFClient(tls.ParseClientHello(helloBody(t, "0303", "1301", "000a00040002001d 000b00020100 00230000"), false))
	if a != b || !strings.Contains(a, "(000a00040002001d)(000b00020100)(0023)") {
		t.Errorf("%s and %s", a, b)
	}
}

func TestNPFServer(t *testing.T) {
	body := func(version, extensions string) []byte {
		e := unhex(t, extensions)
		b := append(append(unhex(t, version), make([]byte, 32)...), 0)
		return append(binary.BigEndian.AppendUint16(append(b, 0xc0, 0x2f, 0), uint16(len(e))), e...)
	}
	for _, tc := range []struct{ version, extensions, want string }{
		{"0303", "00000000 ff01000100 000b00020100 00230000", "tls_server/(0303)(c02f)((0000)(ff01)(000b00020100)(0023))"},
		{"0303", "002b00020304 00330002001d", "tls_server/(0303)(c02f)((002b00020304)(0033))"},
		{"fefd", "ff01000100", "dtls_server/(fefd)(c02f)((ff01))"},
		{"0301", "", "tls_server/(0301)(c02f)()"},
	} {
		h := tls.ParseServerHello(body(tc.version, tc.extensions), tc.version == "fefd")
		var none *App
		if got := none.With(h).ServerHello.NPF; got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// TestNPFSSH checks the example of doc/npf.md (complete client format), and the formats of servers and of lists alone.
func TestNPFSSH(t *testing.T) {
	const ciphers, macs = "chacha20-poly1305@openssh.com,aes128-ctr", "umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com"
	k := dissect.SSHKexInit{Kex: "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256", HostKey: "ssh-ed25519,rsa-sha2-512",
		EncC2S: ciphers, EncS2C: ciphers, MACC2S: macs, MACS2C: macs, CompressionC2S: "none,zlib@openssh.com", CompressionS2C: "none,zlib@openssh.com"}
	const lists = "(637572766532353531392d7368613235362c656364682d736861322d6e697374703235362c6469666669652d68656c6c6d616e2d67726f757031342d736861323536)" +
		"(7373682d656432353531392c7273612d736861322d353132)" +
		"(63686163686132302d706f6c7931333035406f70656e7373682e636f6d2c6165733132382d637472)" +
		"(63686163686132302d706f6c7931333035406f70656e7373682e636f6d2c6165733132382d637472)" +
		"(756d61632d36342d65746d406f70656e7373682e636f6d2c686d61632d736861322d3235362d65746d406f70656e7373682e636f6d)" +
		"(756d61632d36342d65746d406f70656e7373682e636f6d2c686d61632d736861322d3235362d65746d406f70656e7373682e636f6d)" +
		"(6e6f6e652c7a6c6962406f70656e7373682e636f6d)(6e6f6e652c7a6c6962406f70656e7373682e636f6d)()()"
	var s *App
	s = s.With(&dissect.SSHBanner{Line: "SSH-2.0-OpenSSH_8.9 p1 Ubuntu-3"}).With(&k)
	if want := "ssh/(5353482d322e302d4f70656e5353485f382e39207031205562756e74752d33)" + lists; s.SSH.NPF != want {
		t.Errorf("%s, want %s", s.SSH.NPF, want)
	}
	server := k
	server.Server = true
	if s = s.With(&server); s.SSH.NPFServer != "ssh_kex_server/"+lists {
		t.Error(s.SSH.NPFServer)
	}
	if s = s.With(&dissect.SSHBanner{Server: true, Line: "SSH-2.0-x"}).With(&server); s.SSH.NPFServer != "ssh_server/(5353482d322e302d78)"+lists {
		t.Error(s.SSH.NPFServer)
	}
}

func TestNPFDHCP(t *testing.T) {
	for _, tc := range []struct{ kind, options, want string }{
		{"discover", "350101 3d0701020304050607 00 3203010203 0c0161 370401030f06 7c0400000911 ff 00000c", "dhcp/(350101)(3d)(32)(0c)(370401030f06)(7c0400000911)(ff)"},
		{"request", "350103 37", "dhcp/(350103)"},
		{"ack", "350105", ""},
	} {
		if got := NPFDHCP(&dissect.DHCPMessage{Type: tc.kind, Options: unhex(t, tc.options)}); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

func FuzzNPFClient(f *testing.F) {
	f.Add([]byte("\x03\x03"))
	mutate.Fuzz(f, func(t *testing.T, body []byte) {
		if h := tls.ParseClientHello(body, false); h != nil {
			if s := NPFClient(h); s != "" && strings.Count(s, "(") != strings.Count(s, ")") {
				t.Error(s)
			}
		}
		if h := tls.ParseServerHello(body, false); h != nil {
			NPFServer(h)
		}
		NPFDHCP(&dissect.DHCPMessage{Type: "discover", Options: body})
	})
}
