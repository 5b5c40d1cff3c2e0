// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

// restart saves a registry and returns one that was restored from it.
func restart(t *testing.T, d snapshottest.Disk, parts []snapshot.Part) (*Registry, []snapshot.Part) {
	t.Helper()
	d.Drain(t, parts, 3)
	again := New(Config{})
	all := again.Parts()
	d.Restore(t, all)
	again.Restored()
	return again, all
}

// A service answers a client two hours after the request, in a session of its own: the sensor was restarted in between, twice.
func TestAnswerIsKnownAfterARestart(t *testing.T) {
	r := New(Config{})
	parts := r.Parts()
	d := snapshottest.Disk{}
	request := talk{from: "10.0.2.2", to: "10.0.1.1", fromMAC: mac(2), toMAC: mac(1), port: 5000, proto: protoUDP, answered: true, at: 100}.view()
	request.ID = 3
	r.Session(Opened, request, nil, request.Start)
	r.Session(StateChanged, request, nil, request.Start)
	late := talk{from: "10.0.1.1", to: "10.0.2.2", fromMAC: mac(1), toMAC: mac(2), port: 40000, proto: protoUDP, at: 100 + 7200}.view()
	late.Initiator.Port, late.Basis, late.ID = 5000, session.BasisFirstPacket, 7
	_, parts = restart(t, d, parts)
	r, _ = restart(t, d, parts)
	r.Session(Opened, late, nil, late.Start)
	if got := r.Opening(late); got != Answers {
		t.Errorf("opening %d, want %d", got, Answers)
	}
	fresh := New(Config{})
	if fresh.Session(Opened, late, nil, late.Start); fresh.Opening(late) == Answers {
		t.Error("the case proves nothing: a fresh registry knows the answer too")
	}
}

func TestGatewaysAreSaved(t *testing.T) {
	r := New(Config{})
	parts := r.Parts()
	for i := range 2 * maxGateways {
		r.noteGateway(netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i/200, 10+i%200)))
	}
	again, _ := restart(t, snapshottest.Disk{}, parts)
	if len(again.gateways) != maxGateways || !reflect.DeepEqual(again.gateways, r.gateways) {
		t.Errorf("%d gateways after a restart, %d before", len(again.gateways), len(r.gateways))
	}
}

// The saved ports are bounded by the number of slots, and a record in a wrong slot is refused.
func TestSavedAnswersAreBounded(t *testing.T) {
	r := New(Config{})
	parts := r.Parts()
	d := snapshottest.Disk{}
	for i := range 20_000 {
		r.answers.put(portKey{addr: ip(fmt.Sprintf("10.1.%d.%d", i>>8&255, i&255)), port: 161}, int64(i)).served = true
		if i%5000 == 0 {
			d.Drain(t, parts, 100)
		}
	}
	if n := len(r.answers.unsaved); n > len(r.answers.ports) {
		t.Errorf("%d slots wait to be saved", n)
	}
	again, _ := restart(t, d, parts)
	if n := len(d[answersPart]); n > len(r.answers.ports) || n < len(r.answers.ports)/2 {
		t.Errorf("%d records", n)
	}
	for i := range r.answers.ports {
		if again.answers.ports[i] != r.answers.ports[i] {
			t.Fatalf("slot %d: %+v, want %+v", i, again.answers.ports[i], r.answers.ports[i])
		}
	}
	wrong := func(yield func(k, v []byte) bool) {
		for k, v := range d.Records(answersPart) {
			yield([]byte{k[0] ^ 1, k[1]}, v)
			return
		}
	}
	if bad := New(Config{}).answers.restore(wrong); bad != 1 {
		t.Errorf("%d records were refused, want 1", bad)
	}
}

func TestEveryFieldOfAnAnsweringPortIsSaved(t *testing.T) {
	p := &answeringPort{n: clientPortsOutside}
	encode := func() []byte {
		c := snapshot.Writer(nil)
		p.walk(c)
		return c.Bytes()
	}
	how := snapshottest.Instead{reflect.TypeFor[uint8](): func(v reflect.Value) { v.SetUint(v.Uint() ^ 1) }}
	if got := snapshottest.Forgotten(p, encode, how); !slices.Equal(got, []string{"unsaved"}) {
		t.Errorf("%q are not saved", got)
	}
}
