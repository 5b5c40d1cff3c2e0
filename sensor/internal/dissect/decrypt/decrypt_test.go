// SPDX-License-Identifier: Apache-2.0

package decrypt

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// load writes a key log to a file and reads it.
func load(t testing.TB, text string) *KeyLog {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// feed gives the turns to a stream as they arrive, cut into pieces, and returns the facts.
func feed(s *stream, turns []dissecttest.Turn, piece int) (facts []dissect.Fact) {
	var heads [2][]byte
	sink := func(f dissect.Fact) { facts = append(facts, f) }
	wants := [2]int{1, 1}
	for _, turn := range turns {
		for b := []byte(turn.Data); len(b) > 0; {
			n := min(piece, len(b))
			heads[turn.Dir], b = append(heads[turn.Dir], b[:n]...), b[n:]
			if want := wants[turn.Dir]; want > 0 && len(heads[turn.Dir]) >= want {
				wants[turn.Dir] = s.Feed(turn.Dir, heads[turn.Dir], false, sink)
			}
		}
	}
	for dir := range heads {
		if wants[dir] > 0 {
			s.Feed(dir, heads[dir], true, sink)
		}
	}
	return facts
}

// TestDecrypt reads exchanges with each version and kind of cipher suite.
func TestDecrypt(t *testing.T) {
	old := func(suite uint16) func(*tls.Config) {
		return func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.CipherSuites = tls.VersionTLS12, tls.VersionTLS12, []uint16{suite}
		}
	}
	cases := map[string]func(*tls.Config){
		"TLS 1.3": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
		"TLS 1.3 after a retry": func(c *tls.Config) {
			c.MinVersion = tls.VersionTLS13
			c.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.X25519}
			if c.Certificates != nil {
				c.CurvePreferences = []tls.CurveID{tls.CurveP521}
			} else {
				c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP521}
			}
		},
	}
	for _, id := range []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	} {
		cases[tls.CipherSuiteName(id)] = old(id)
	}
	for name, change := range cases {
		turns, keyLog := dissecttest.HTTPS(t, change)
		for _, piece := range []int{1, 7, 1000, 1 << 20} {
			k := load(t, keyLog)
			facts := feed(k.open(), turns, piece)
			got := dissecttest.FactsOf[dissect.HTTPExchange](facts)
			if len(got) != 4 { // each request, and each with its answer
				t.Errorf("%s, pieces of %d: %s", name, piece, dissecttest.Dump(facts))
				continue
			}
			x := got[1]
			if x.URI != "/ISAPI/System/deviceInfo" || x.Status != 200 || x.Server != "App-webs/" || x.UserAgent != "curl/8.1" || x.AuthScheme != "basic" || x.CleartextCredentials || !x.DefaultCredentials {
				t.Errorf("%s: %+v", name, x)
			}
			if got[3].URI != "/second" || got[3].Index != 1 {
				t.Errorf("%s: %+v", name, got[3])
			}
			if len(dissecttest.FactsOf[dissect.TLSClientHello](facts)) == 0 || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) == 0 {
				t.Errorf("%s: the hellos are missing: %s", name, dissecttest.Dump(facts))
			}
			if seen, decrypted := k.Sessions(); seen != 1 || decrypted != 1 {
				t.Errorf("%s: %d of %d sessions", name, decrypted, seen)
			}
		}
	}
}

// TestWithoutTheRightSecret checks that a log of another session, or a damaged one, changes nothing.
func TestWithoutTheRightSecret(t *testing.T) {
	turns, keyLog := dissecttest.HTTPS(t, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })
	_, other := dissecttest.HTTPS(t, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })
	_, random, _ := strings.Cut(strings.SplitN(keyLog, "\n", 2)[0], " ")
	random, _, _ = strings.Cut(random, " ")
	plain := feed(load(t, other).open(), turns, 1<<20)
	for name, text := range map[string]string{
		"another session": other,
		"wrong secret":    strings.ReplaceAll(other, strings.Fields(other)[1], random),
		"short secret":    "CLIENT_HANDSHAKE_TRAFFIC_SECRET " + random + " 00\nSERVER_HANDSHAKE_TRAFFIC_SECRET " + random + " 00\n",
		"of TLS 1.2":      "CLIENT_RANDOM " + random + " 0102\n",
	} {
		facts := feed(load(t, text).open(), turns, 100)
		if got := dissecttest.Dump(facts); got != dissecttest.Dump(plain) || len(dissecttest.FactsOf[dissect.HTTPExchange](facts)) > 0 {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, dissecttest.Dump(plain))
		}
	}
}

func TestBadKeyLog(t *testing.T) {
	random := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"":                                     "there is no secret in it",
		"# nothing\n":                          "there is no secret in it",
		"CLIENT_RANDOM " + random + "\n":       ":1: a line has a label, the random of the client and a secret; this one has 2 words",
		"\nCLIENT_RANDOM 12 34\n":              ":2: the random of the client has 64 hexadecimal digits",
		"CLIENT_RANDOM " + random + " secret1": ":1: the secret is a hexadecimal number of at most 128 digits",
	} {
		name := filepath.Join(t.TempDir(), "keys.log")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(name); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret1") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// FuzzDecrypt changes the bytes of sessions whose secrets are known.
func FuzzDecrypt(f *testing.F) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		turns, keyLog := dissecttest.HTTPS(f, func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version })
		var b []byte
		for _, turn := range turns {
			b = append(b, dissecttest.Chunk(turn)...)
		}
		f.Add(b, []byte(keyLog))
	}
	mutate.Fuzz(f, func(t *testing.T, b, keyLog []byte) {
		k := &KeyLog{secrets: map[[32]byte]*secrets{}}
		for line := range strings.Lines(string(keyLog)) {
			_ = k.add(strings.TrimSpace(line)) // lines that are wrong are left out
		}
		s := k.open()
		feed(s, dissecttest.Chunks(b), 1<<20)
		for i := range s.dirs {
			if len(s.dirs[i].plain) > dissect.HeadLimit {
				t.Errorf("%d bytes are kept", len(s.dirs[i].plain))
			}
		}
	})
}
