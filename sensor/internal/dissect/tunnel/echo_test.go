// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// message is one echo message.
type message struct {
	dir     int
	seq     uint16
	payload string
}

// noise returns random bytes.
func noise(r *rand.Rand, n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return string(b[:n])
}

// talk returns count requests with payloads of ask, and replies with payloads of answer if it is not nil.
func talk(count int, ask func() string, answer func(request string) string) (ms []message) {
	for i := range count {
		q := ask()
		ms = append(ms, message{dissect.FromClient, uint16(i), q})
		if answer != nil {
			ms = append(ms, message{dissect.FromServer, uint16(i), answer(q)})
		}
	}
	return ms
}

// usual reports whether a payload consists of one byte, or is short.
func usual(payload string) bool {
	return len(payload) < 64 || strings.Count(payload, payload[:1]) == len(payload)
}

func TestEcho(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() string { return noise(r, 200) }
	same := func(q string) string { return q }
	zeros := strings.Repeat("\x00", 200)
	for _, c := range []struct {
		name string
		ms   []message
		want dissect.EchoData // without the entropy
		bits float64          // at least
	}{
		{"random data, returned", talk(30, random, same), dissect.EchoData{}, 0},
		{"random data, cut by the host", talk(30, random, func(q string) string { return q[:64] }), dissect.EchoData{}, 0},
		{"random data, only a few bytes come back", talk(30, random, func(q string) string { return q[:8] }), dissect.EchoData{Messages: 30, Bytes: 6000}, 7.9},
		{"random data, no answer", talk(30, random, nil), dissect.EchoData{Messages: 30, Bytes: 6000}, 7.9},
		{"a tunnel", talk(10, random, func(string) string { return random() }), dissect.EchoData{Messages: 20, Bytes: 4000, Compared: 10, Unequal: 10}, 7.9},
		{"data one way", talk(10, func() string { return zeros }, func(string) string { return random() }), dissect.EchoData{Messages: 10, Bytes: 2000, Compared: 10, Unequal: 10}, 7.5},
		{"text", talk(10, func() string { return strings.Repeat("uid=0(root) ", 6) + zeros[:1] }, func(string) string { return "find / -perm -4000 -type f 2>/dev/null; cat /etc/passwd; uname -a; id" }),
			dissect.EchoData{Messages: 20, Bytes: 10*73 + 10*69, Compared: 10, Unequal: 10}, 1},
		{"pings", talk(10, func() string { return zeros }, func(string) string { return strings.Repeat("\x01", 200) }), dissect.EchoData{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x Echo
			var got dissect.EchoData
			for _, m := range c.ms {
				x.Message(m.dir, 7, m.seq, []byte(m.payload), usual(m.payload), func(f dissect.Fact) { got = *f.(*dissect.EchoData) })
			}
			if got.Entropy < c.bits {
				t.Errorf("%v bits per byte, want %v", got.Entropy, c.bits)
			}
			if got.Entropy = 0; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A long tunnel causes few facts.
func TestEchoReportsLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x Echo
	facts := 0
	for _, m := range talk(5000, func() string { return noise(r, 100) }, func(string) string { return noise(r, 100) }) {
		x.Message(m.dir, 7, m.seq, []byte(m.payload), usual(m.payload), func(dissect.Fact) { facts++ })
	}
	if facts < 10_000/16 || facts > 10_000/16+echoSingly {
		t.Errorf("%d facts for 10,000 messages", facts)
	}
}

// Replies that are late find their requests, as long as few are open.
func TestEchoOutOfOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x Echo
	var asked []string
	for i := range 100 {
		asked = append(asked, noise(r, 100))
		x.Message(dissect.FromClient, 7, uint16(i), []byte(asked[i]), false, func(dissect.Fact) {})
		if j := i - echoKept + 1; j >= 0 {
			x.Message(dissect.FromServer, 7, uint16(j), []byte(asked[j]), false, func(dissect.Fact) {})
		}
	}
	if x.data.Compared != 100-echoKept+1 || x.data.Unequal != 0 {
		t.Errorf("%d replies compared, %d differ", x.data.Compared, x.data.Unequal)
	}
}

func FuzzEcho(f *testing.F) {
	for _, m := range talk(2, func() string { return strings.Repeat("request ", 10) + "." }, func(string) string { return strings.Repeat("reply ", 15) }) {
		f.Add(dissecttest.Chunk(turn{Dir: m.dir, Data: m.payload}))
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		var x Echo
		last := dissect.EchoData{}
		for i, c := range dissecttest.Chunks(b) {
			x.Message(c.Dir, 1, uint16(i/2), []byte(c.Data), usual(c.Data), func(f dissect.Fact) {
				d := f.(*dissect.EchoData)
				if d.Unequal > d.Compared || d.Messages < last.Messages || d.Bytes < last.Bytes || d.Entropy < 0 || d.Entropy > 8 {
					t.Fatalf("%+v after %+v", d, last)
				}
				last = *d
			})
		}
	})
}
