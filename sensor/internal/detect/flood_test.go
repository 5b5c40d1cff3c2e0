// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"reflect"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

// small sets all limits of a detector's tables to n, so that a flood needs not be millions to show.
func small(t *testing.T, n int) []Detector {
	t.Helper()
	dets, err := New(Config{Params: func(_ string, into any) error {
		v := reflect.ValueOf(into).Elem()
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; len(name) > 3 && name[:3] == "Max" && v.Field(i).Kind() == reflect.Int {
				v.Field(i).SetInt(int64(n))
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return dets
}

// A flood of sources, targets, ports, logins and uploads changes counters; the tables stay at their limits.
func TestFloodsAreBounded(t *testing.T) {
	const limit = 100
	w := newFixture(t, nil, idle)
	w.dets = small(t, limit)
	findings := 0
	w.c.Emit = func(*Finding) { findings++ }
	w.connect(host, idle+":22")
	for i := range uint32(5000) {
		src := session.Endpoint{MAC: routerMAC, Port: uint16(i)}
		v := w.session(protoTCP, outside, idle+":22")
		binary.BigEndian.PutUint32(src.Addr[12:], 0xcb000000+i*7)
		src.Addr[10], src.Addr[11] = 0xff, 0xff
		v.Initiator = src
		v.SynSeq, v.SynOptLen = 0x0a000a11, 0
		v.Responder.Port = []uint16{22, 80, uint16(i)}[i%3]
		w.event(SessionOpened, v, nil, nil)
		e := in(v, session.Established)
		w.event(SessionState, e, nil, nil)
		w.fact(e, &dissect.Login{Protocol: "ftp", Result: dissect.Outcome(1 + i%2)})
		n := *e
		n.PayloadBytes = [2]uint64{10, 9e6}
		w.event(SessionEnded, &n, nil, nil)
		f := *v
		f.State, f.ID = session.Attempted, v.ID+1<<40
		w.event(SessionEnded, &f, nil, nil)
		w.c.Now += second / 10
	}
	tables, sum := 0, uint64(0)
	for _, d := range w.dets {
		v, evicted := reflect.ValueOf(d).Elem(), uint64(0)
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Kind() != reflect.Pointer || f.IsNil() || f.Elem().Kind() != reflect.Struct {
				continue
			}
			m := f.Elem().FieldByName("lru")
			if !m.IsValid() {
				continue
			}
			tables++
			evicted += m.Elem().FieldByName("evicted").Uint()
			if n := m.Elem().FieldByName("live").Int(); n > limit {
				t.Errorf("%s: a table of %d entries", d.Rule().ID, n)
			}
		}
		if got := Evictions([]Detector{d}); got != evicted {
			t.Errorf("%s: %d evictions are counted of %d", d.Rule().ID, got, evicted)
		}
		sum += evicted
	}
	if got := Evictions(w.dets); got != sum || sum == 0 {
		t.Errorf("%d evictions are counted of %d", got, sum)
	}
	if tables < 15 {
		t.Errorf("only %d tables were looked at", tables)
	}
}

// The same events give the same findings, in the same order and words.
func TestDeterminism(t *testing.T) {
	run := func() []string {
		w := newFixture(t, nil, idle)
		for i := range 40 {
			w.attempt(idle, "198.51.100.9:6667")
			w.refused(host, "10.0.30.10:"+string(rune('1'+i%9))+"1")
			w.fact(w.connect(outside, idle+":23"), &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeFailure})
			w.carried(w.connect(idle, web), 1e6, 1e3)
			w.wait(7 * second)
		}
		var out []string
		for _, f := range w.got {
			out = append(out, f.Rule.ID+f.Severity.String()+f.Key+f.Message)
		}
		return out
	}
	a, b := run(), run()
	if !reflect.DeepEqual(a, b) || len(a) == 0 {
		t.Errorf("%d and %d findings differ", len(a), len(b))
	}
}
