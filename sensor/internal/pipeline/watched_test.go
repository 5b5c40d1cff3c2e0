// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/state"
)

// wire is a capture that is built in code.
type wire struct {
	t    *testing.T
	all  []timed
	port layers.TCPPort
}

type timed struct {
	at   int64
	data []byte
}

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// browse has host n of a VLAN (0: no tag) open an HTTP session to a server outside, which answers, after so much time.
func (w *wire) browse(after time.Duration, vlan uint16, n byte) {
	w.port++
	pc, router := [6]byte{0x00, 0x1e, 0x4f, 0, byte(vlan), n}, [6]byte{0x00, 0x1b, 0x54, 0, 0, 1}
	from, to := netip.AddrFrom4([4]byte{10, 20, byte(vlan), n}), netip.MustParseAddr("198.51.100.7")
	step := func(i int, out bool, tcp layers.TCP, payload string) {
		eth := layers.Ethernet{SrcMAC: pc[:], DstMAC: router[:], EthernetType: layers.EthernetTypeIPv4}
		ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
		tcp.SrcPort, tcp.DstPort = 20000+w.port, 80
		if !out {
			eth.SrcMAC, eth.DstMAC, ip.SrcIP, ip.DstIP, ip.TTL = eth.DstMAC, eth.SrcMAC, ip.DstIP, ip.SrcIP, 52
			tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
		}
		tcp.Window = 64240
		_ = tcp.SetNetworkLayerForChecksum(&ip) // it is IPv4
		parts := []gopacket.SerializableLayer{&eth}
		if vlan > 0 {
			eth.EthernetType = layers.EthernetTypeDot1Q
			parts = append(parts, &layers.Dot1Q{VLANIdentifier: vlan, Type: layers.EthernetTypeIPv4})
		}
		b := gopacket.NewSerializeBuffer()
		parts = append(parts, &ip, &tcp, gopacket.Payload(payload))
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
			w.t.Fatal(err)
		}
		w.all = append(w.all, timed{monday.Add(after).UnixNano() + int64(i)*10e6, slices.Clone(b.Bytes())})
	}
	const get, ok = "GET / HTTP/1.1\r\nHost: news.example\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	step(0, true, layers.TCP{SYN: true, Seq: 100}, "")
	step(1, false, layers.TCP{SYN: true, ACK: true, Seq: 900, Ack: 101}, "")
	step(2, true, layers.TCP{ACK: true, Seq: 101, Ack: 901}, "")
	step(3, true, layers.TCP{ACK: true, PSH: true, Seq: 101, Ack: 901}, get)
	step(4, false, layers.TCP{ACK: true, PSH: true, Seq: 901, Ack: 101 + uint32(len(get))}, ok)
	step(5, true, layers.TCP{FIN: true, ACK: true, Seq: 101 + uint32(len(get)), Ack: 901 + uint32(len(ok))}, "")
	step(6, false, layers.TCP{FIN: true, ACK: true, Seq: 901 + uint32(len(ok)), Ack: 102 + uint32(len(get))}, "")
}

// office has ten hosts of a VLAN browse at each of the times, a second after one another.
func (w *wire) office(vlan uint16, at ...time.Duration) {
	for _, t := range at {
		for n := range byte(10) {
			w.browse(t+time.Duration(n)*time.Second, vlan, 10+n)
		}
	}
}

// regular has one host browse again and again.
func (w *wire) regular(vlan uint16, from, to, step time.Duration) {
	for t := from; t < to; t += step {
		w.browse(t, vlan, 200)
	}
}

// source returns the frames of a wire, some in a batch.
type source struct {
	all   []timed
	batch int
}

func (s *source) Next(b *capture.Batch) error {
	b.Frames, b.Data = b.Frames[:0], b.Data[:0]
	if len(s.all) == 0 {
		return io.EOF
	}
	for _, p := range s.all[:min(s.batch, len(s.all))] {
		b.Frames = append(b.Frames, capture.Frame{Time: p.at, Off: uint32(len(b.Data)), Len: uint32(len(p.data)), OrigLen: uint32(len(p.data)), Link: packet.LinkEthernet})
		b.Data = append(b.Data, p.data...)
	}
	s.all = s.all[len(b.Frames):]
	return nil
}
func (s *source) Stats() capture.Stats { return capture.Stats{Files: 1} }
func (s *source) Close() error         { return nil }

// records replays frames and gives the alerts and the devices as text.
func records(t *testing.T, frames []timed, batch int, cfg pipeline.Config) (all []string) {
	t.Helper()
	if cfg.Replay = true; cfg.Settings == nil {
		cfg.Settings = config.Defaults()
	}
	r, err := pipeline.New(cfg, &source{frames, batch}, pipeline.Output{
		Alert: func(a *schemas.Alert) error {
			line, err := schemas.AppendAlert(nil, a)
			all = append(all, string(line))
			return err
		},
		Device: func(d *schemas.Device) error {
			line, err := schemas.AppendDevice(nil, d)
			all = append(all, string(line))
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return all
}

func has(all []string, what string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, what) })
}

const day = 24 * time.Hour

func days(from, n int) (all []time.Duration) {
	for d := range n {
		all = append(all, time.Duration(from+d)*day)
	}
	return all
}

// pauses are captures in which nobody was silent for seven days that were watched.
func pauses() map[string]func(*wire) {
	return map[string]func(*wire){
		"eight days":             func(w *wire) { w.office(0, slices.Concat(days(0, 2), days(9, 2))...) },
		"seven days":             func(w *wire) { w.office(0, slices.Concat(days(0, 2), days(8, 2))...) },
		"thirty days after five": func(w *wire) { w.office(0, slices.Concat(days(0, 5), days(35, 2))...) },
		"twelve days, tagged":    func(w *wire) { w.office(7, slices.Concat(days(0, 3), days(14, 2))...) },
		"several":                func(w *wire) { w.office(0, 0, 8*day, 9*day, 17*day, 30*day) },
		"after a busy day": func(w *wire) {
			w.regular(0, 0, 10*time.Hour, 10*time.Minute)
			w.office(0, time.Hour, 5*time.Hour, 9*day)
		},
		"of one VLAN": func(w *wire) {
			w.office(20, slices.Concat(days(0, 2), days(10, 2))...)
			w.regular(10, 0, 12*day, 10*time.Minute)
		},
		"of the untagged frames": func(w *wire) {
			w.office(0, slices.Concat(days(0, 2), days(10, 2))...)
			w.regular(10, 0, 12*day, 10*time.Minute)
		},
		"nights and weekends": func(w *wire) {
			for d := range 15 {
				if d%7 < 5 {
					w.regular(0, time.Duration(d)*day, time.Duration(d)*day+9*time.Hour, 15*time.Minute)
				}
			}
			w.office(0, time.Hour, 10*day+time.Hour)
		},
		"two packets": func(w *wire) {
			w.browse(0, 0, 10)
			w.browse(9*day, 0, 10)
			w.all = []timed{w.all[0], w.all[7]}
		},
		"a first frame at the epoch": func(w *wire) {
			w.browse(-time.Duration(monday.UnixNano()), 0, 10)
			w.all = w.all[:1]
			w.office(0, days(0, 2)...)
		},
		"a first frame before the epoch": func(w *wire) {
			w.browse(-time.Duration(monday.UnixNano())-time.Hour, 0, 10)
			w.all = w.all[:1]
			w.office(0, days(0, 2)...)
		},
		"a clock that is set forward": func(w *wire) {
			w.office(0, days(0, 3)...)
			w.regular(0, 0, 2*day, 10*time.Minute)
			w.regular(0, 12*day, 13*day, 10*time.Minute)
			w.office(0, 12*day)
		},
		"a clock that is set back": func(w *wire) {
			w.regular(0, 20*day, 21*day, 10*time.Minute)
			w.office(0, 20*day)
			slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
			later := &wire{t: w.t, port: 3000}
			later.office(0, days(11, 11)...)
			w.all = append(w.all, later.all...)
		},
	}
}

// TestPauseDoesNotCountAsSilence replays captures with pauses in several ways.
func TestPauseDoesNotCountAsSilence(t *testing.T) {
	for name, build := range pauses() {
		t.Run(name, func(t *testing.T) {
			w := &wire{t: t}
			if build(w); name != "a clock that is set back" {
				slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
			}
			want := records(t, w.all, 64, pipeline.Config{Shards: 1})
			if has(want, `"id":"D01"`) || has(want, `"id":"D02"`) || has(want, `"severity":"high"`) || has(want, `"expect_source":"idle"`) {
				t.Errorf("a pause was taken for silence: %s", strings.Join(want, "\n"))
			}
			for _, batch := range []int{1, 7, 1000} {
				if got := records(t, w.all, batch, pipeline.Config{Shards: 3}); !slices.Equal(got, want) {
					t.Errorf("other records in batches of %d with 3 shards", batch)
				}
			}
		})
	}
}

// TestRestartDoesNotCountAsSilence cuts the captures with pauses anywhere, and has a second run go on from the state of the first.
func TestRestartDoesNotCountAsSilence(t *testing.T) {
	for name, build := range pauses() {
		if strings.Contains(name, "set back") || name == "two packets" {
			continue // the state refuses what is older than it, and nothing is left to cut
		}
		t.Run(name, func(t *testing.T) {
			w := &wire{t: t}
			build(w)
			slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
			cut := len(w.all) / 2
			for i := 1; i < len(w.all); i++ { // at the longest gap
				if w.all[i].at-w.all[i-1].at > w.all[cut].at-w.all[cut-1].at {
					cut = i
				}
			}
			if all := restarted(t, w.all[:cut], w.all[cut:]); has(all, `"id":"D01"`) || has(all, `"id":"D02"`) {
				t.Errorf("a restart was taken for silence: %s", strings.Join(all, "\n"))
			}
		})
	}
}

// restarted replays captures one after another, each from the state of the one before.
func restarted(t *testing.T, parts ...[]timed) (all []string) {
	t.Helper()
	file := t.TempDir() + "/state"
	for _, p := range parts {
		s, err := state.Open(file, state.Options{Sensor: "s", Site: "local", Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, records(t, p, 64, pipeline.Config{Shards: 2, State: s})...)
		if err := errors.Join(s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestIdleWhileWatched has one host be idle for 8.5 days while others show that the capture goes on.
func TestIdleWhileWatched(t *testing.T) {
	for name, c := range map[string]struct {
		vlan uint16
		step time.Duration
	}{
		"every ten minutes": {0, 10 * time.Minute},
		"every hour":        {0, time.Hour},
		"every six hours":   {0, 6 * time.Hour},
		"every day":         {0, 23 * time.Hour},
		"in a VLAN":         {30, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{t: t}
			w.browse(0, c.vlan, 10)
			w.regular(c.vlan, time.Minute, 8*day+12*time.Hour, c.step)
			w.browse(8*day+12*time.Hour, c.vlan, 10)
			slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
			all := records(t, w.all, 64, pipeline.Config{})
			for _, want := range []string{`"id":"D01"`, `"id":"D02"`, "after 8 d 12 h of silence", "in 8 d 12 h of watched time. Seen", `"silent_for_s":734400`} {
				if !has(all, want) {
					t.Errorf("no %s in %s", want, strings.Join(all, "\n"))
				}
			}
		})
	}
}

// TestIdleOverAPause has a host that is idle for ten days of which three were not watched; both numbers are reported.
func TestIdleOverAPause(t *testing.T) {
	w := &wire{t: t}
	w.browse(0, 0, 10)
	w.regular(0, time.Minute, 4*day, 10*time.Minute)
	w.regular(0, 7*day, 11*day, 10*time.Minute)
	w.browse(11*day, 0, 10)
	slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
	all := records(t, w.all, 64, pipeline.Config{})
	if want := "in 7 d 23 h of watched time since 2026-03-02 09:00:00 UTC (another 3 d was not watched)"; !has(all, want) {
		t.Errorf("no %q in %s", want, strings.Join(all, "\n"))
	}
	for i, p := range w.all {
		if gap := p.at - w.all[max(i-1, 0)].at; gap > int64(day) {
			if all := restarted(t, w.all[:i], w.all[i:]); !has(all, "in 7 d 23 h of watched time since") {
				t.Errorf("with a restart in the pause: %s", strings.Join(all, "\n"))
			}
			return
		}
	}
	t.Error(fmt.Sprint("no pause among ", len(w.all)))
}
