// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"stillwatch/sensor/internal/packet"
)

var device, peer = packet.AddrFrom4([]byte{10, 0, 0, 1}), packet.AddrFrom4([]byte{10, 0, 0, 2})

// offer offers a TCP frame between device and peer.
func offer(t testing.TB, r *Recorder, num uint64, at int64, payload string) {
	t.Helper()
	data := tcpFrame(t, payload)
	p := &packet.Packet{}
	packet.Decode(p, packet.LinkEthernet, data, uint32(len(data)))
	p.Num, p.Time = num, at
	r.Add(&Frame{Packet: p, Link: packet.LinkEthernet, Data: data, OrigLen: uint32(len(data))})
}

func flowOfTest() uint64 { return FlowOf(device, peer, 40000, 80, 6, true) }

func alertAt(now int64, num uint64) Alert {
	return Alert{ID: "abc", Rule: "D01", Name: "Unexpected outbound", Device: 7, Now: now, Num: num, HasSession: true, Flow: flowOfTest(), Peer: peer, First: 1, Counted: num}
}

func readBack(t *testing.T, f *File) (n int, comment string) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(f.Data), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			return n, r.SectionInfo().Comment
		}
		n++
	}
}

// TestNothingIsKeptWithoutADevice checks that the memory is not even taken.
func TestNothingIsKeptWithoutADevice(t *testing.T) {
	r := New(1 << 20)
	offer(t, r, 1, 1, "a")
	if r.Active() || r.ring != nil || r.flows != nil || r.Stats() != (Stats{}) {
		t.Errorf("%+v", r.Stats())
	}
}

func TestEvidenceAroundAnAlert(t *testing.T) {
	r := New(1 << 20)
	r.Follow(7, device, packet.MAC{})
	for i := range 300 { // one packet in each second: the session goes on longer than the evidence
		at := int64(i) * 1e9
		if i == 200 {
			if !r.Start(alertAt(at, 201)) {
				t.Fatal("not started")
			}
		}
		offer(t, r, uint64(i+1), at, fmt.Sprint("packet", i))
		if files := r.Finish(at, false); len(files) > 0 {
			if i != 231 {
				t.Errorf("complete at second %d, want 231", i)
			}
			n, comment := readBack(t, files[0])
			want := beforeSession + 31
			if n != want || files[0].Packets != want || !strings.Contains(comment, "left out: 72 packets") || !strings.Contains(comment, "rule D01") {
				t.Errorf("%d packets, %d in the record: %q", n, files[0].Packets, comment)
			}
			if !bytes.Contains(files[0].Data, []byte("packet 201; the alert was decided with this packet")) || !bytes.Contains(files[0].Data, []byte("packet 1; the session of the alert begins here")) {
				t.Error("the packets that the finding points at have no comment")
			}
			return
		}
	}
	t.Error("never complete")
}

// TestFloodOverwritesAndSaysSo fills the ring several times over; the packets of another device are counted as lost, and the memory does not grow.
func TestFloodOverwritesAndSaysSo(t *testing.T) {
	r := New(1 << 20)
	r.Follow(7, device, packet.MAC{})
	size := len(r.ring.entries)
	for i := range 4 * size {
		offer(t, r, uint64(i+1), int64(i)*1e6, strings.Repeat("y", i%900)) // 1000 a second: most are thinned
	}
	s := r.Stats()
	if s.Thinned == 0 || s.Kept+s.Thinned != uint64(4*size) {
		t.Errorf("%+v", s)
	}
	for i := range 4 * size {
		offer(t, r, uint64(4*size+i+1), int64(1e12)+int64(i)*1e8, strings.Repeat("y", i%900))
	}
	if s = r.Stats(); s.Overwritten == 0 || len(r.ring.entries) != size || r.ring.next-r.ring.oldest > uint64(size) {
		t.Fatalf("%+v", s)
	}
	now := int64(1e12) + int64(4*size)*1e8
	a := alertAt(now, 0)
	a.First = 1
	r.devices[7].lostAt = now - 1e9
	r.Start(a)
	files := r.Finish(now, true)
	if len(files) != 1 || len(files[0].Data) > MaxBytes {
		t.Fatalf("%d files", len(files))
	}
	if n, comment := readBack(t, files[0]); n == 0 || !strings.Contains(comment, "no longer held: ") {
		t.Errorf("%d packets: %q", n, comment)
	}
}

// TestRingKeepsTheLatest compares the ring with a list of everything that was added.
func TestRingKeepsTheLatest(t *testing.T) {
	r := New(64 << 10)
	r.Follow(7, device, packet.MAC{})
	var all [][]byte
	for i := range 1000 {
		data := bytes.Repeat([]byte{byte(i)}, 1+i*37%snapLen)
		all = append(all, data)
		h := held{num: uint64(i), of: [2]uint32{7}, prev: [2]uint64{r.devices[7].last}}
		r.devices[7].last = r.ring.add(&h, data, r)
		want := i
		r.ring.walk(7, r.devices[7].last, func(h *held) bool {
			if int(h.num) != want || !bytes.Equal(r.ring.bytes(h), all[want]) {
				t.Fatalf("after %d: packet %d is %d with %d bytes", i, want, h.num, h.size)
			}
			want--
			return true
		})
		if i > 300 && i-want < 20 {
			t.Fatalf("after %d only %d are held", i, i-want)
		}
	}
}

func TestManyAlertsAndDevices(t *testing.T) {
	r := New(1 << 20)
	r.Follow(7, device, packet.MAC{})
	offer(t, r, 1, 1e9, "a")
	for range maxJobs + 5 {
		r.Start(alertAt(1e9, 1))
	}
	if s := r.Stats(); s.Refused != 5 || len(r.jobs) != maxJobs {
		t.Errorf("%+v, %d jobs", s, len(r.jobs))
	}
	if n := len(r.Finish(2e9, true)); n != maxJobs || len(r.devices[7].jobs) != 0 {
		t.Errorf("%d files", n)
	}
	for i := range maxFollowed + 3 {
		r.Follow(uint32(100+i), packet.AddrFrom4([]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), packet.MAC{})
	}
	if s := r.Stats(); s.Unfollowed != 4 || len(r.devices) != maxFollowed {
		t.Errorf("%+v, %d devices", s, len(r.devices))
	}
	r.Hold(7, 5e9)
	r.Review(3e9, func(uint32) bool { return false })
	if len(r.devices) != 1 || len(r.byAddr) != 1 || !r.Follows(7, device) {
		t.Errorf("%d devices remain", len(r.devices))
	}
	if r.Review(5e9, func(uint32) bool { return false }); r.Active() || r.filter != [1 << 10]uint64{} {
		t.Error("the last device is still followed")
	}
}

// TestSecretsAreNotHeld looks for a password in the whole memory for packets, and in an alert that waits for more.
func TestSecretsAreNotHeld(t *testing.T) {
	r := New(1 << 20)
	r.Follow(7, device, packet.MAC{})
	r.Label(flowOfTest(), "ftp", 0)
	if !r.Start(alertAt(1e9, 1)) {
		t.Fatal("not started")
	}
	offer(t, r, 1, 1e9, "PASS correcthorse\r\n")
	if bytes.Contains(r.ring.data, []byte("horse")) || !bytes.Contains(r.ring.data, []byte("PASSxxxxx")) {
		t.Error("the memory for packets has the password, or not even the packet")
	}
	if bytes.Contains(r.hider.before[:cap(r.hider.before)], []byte("horse")) {
		t.Error("a buffer still has the password")
	}
	files := r.Finish(2e9, true)
	if len(files) != 1 || bytes.Contains(files[0].Data, []byte("horse")) || !bytes.Contains(files[0].Data, []byte("PASSxxxxx")) {
		t.Errorf("%d files", len(files))
	}
}

// TestHoldingAPacketDoesNotAllocate covers packets of protocols that are shown as they are, and of those of which nothing is known.
func TestHoldingAPacketDoesNotAllocate(t *testing.T) {
	r := New(1 << 20)
	r.Follow(7, device, packet.MAC{})
	data := tcpFrame(t, strings.Repeat("payload ", 60))
	p := &packet.Packet{}
	packet.Decode(p, packet.LinkEthernet, data, uint32(len(data)))
	x := &Frame{Packet: p, Link: packet.LinkEthernet, Data: data, OrigLen: uint32(len(data))}
	for _, app := range []string{"", "tls", "ftp"} {
		r.Label(p.FlowHash(), app, 0)
		r.Add(x)
		if n := testing.AllocsPerRun(1000, func() {
			p.Num++
			p.Time += 1e9
			r.Add(x)
		}); n != 0 {
			t.Errorf("%q: %.1f allocations", app, n)
		}
	}
}
