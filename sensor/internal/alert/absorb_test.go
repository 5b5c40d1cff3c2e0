// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// tries makes a D01 finding about an attempt to open a port of a host.
func (b *bench) tries(host int, port uint16, state session.State) *detect.Finding {
	ip := fmt.Sprint("198.51.100.", host)
	f := b.about("D01", dev(1), detect.StageOutbound, far(ip, ""), "")
	f.Key, f.Entities, f.Peer.Port = fmt.Sprint(ip, ":", port), []string{"ip:" + ip}, port
	f.Session = &session.View{ID: uint64(host), Start: b.c.Now, End: b.c.Now, Proto: 6, HasPorts: true, State: state, Packets: [2]uint64{1, 1}}
	f.Session.Responder.Port = port
	return f
}

// Three alike are one alert that names all three; a later answer, or a call hours later, is new.
func TestManyAlikeAreOne(t *testing.T) {
	b := newBench(t, Config{}, nil)
	for i := range 4 {
		b.m.Add(b.tries(i+1, 23, session.Attempted), b.c)
		b.wait(second)
	}
	b.m.Close(b.c.Now, b.c)
	last := map[string]int{}
	for i, a := range b.got {
		last[a.ID] = i
	}
	live, absorbed := 0, 0
	for _, i := range last {
		a := b.got[i]
		if a.AbsorbedBy != "" {
			absorbed++
			continue
		}
		if live++; a.Title == "" || !slices.Contains(a.Entities, "ip:198.51.100.4") || a.Dedupe.Count != 4 {
			t.Errorf("%s, %d times, about %v", a.Title, a.Dedupe.Count, a.Entities)
		}
	}
	if live != 1 || absorbed != 2 {
		t.Errorf("%d live alerts and %d absorbed ones", live, absorbed)
	}
	f := b.tries(1, 23, session.Established)
	f.Continues = true
	n := len(b.got)
	b.c.Now += second
	b.m.Add(f, b.c)
	if len(b.got) != n+1 || b.got[n].Action != "create" {
		t.Errorf("the answer is not told: %v", b.lines()[n:])
	}
	b.c.Now += hour
	n = len(b.got)
	b.m.Add(b.tries(9, 23, session.Attempted), b.c)
	if len(b.got) != n+1 || b.got[n].Action != "create" {
		t.Errorf("a call an hour later is not told: %v", b.lines()[n:])
	}
}

// A login explains the failed ones before it, and not the guessing that begins after it.
func TestLoginExplainsEarlierGuesses(t *testing.T) {
	for _, order := range [][]string{{"D09", "D08"}, {"D08", "D09"}} {
		b := newBench(t, Config{}, nil)
		for _, rule := range order {
			stage := detect.StageGuessed
			if rule == "D08" {
				stage = detect.StageLogin
			}
			f := b.about(rule, dev(1), stage, far("198.51.100.7", ""), "")
			f.Start, f.End = b.c.Now, b.c.Now
			b.m.Add(f, b.c)
			b.wait(20 * second)
		}
		b.m.Close(b.c.Now, b.c)
		absorbed := false
		for _, a := range b.got {
			absorbed = absorbed || a.Rule.ID == "D09" && a.AbsorbedBy != ""
		}
		if want := order[0] == "D09"; absorbed != want {
			t.Errorf("%v: the guessing was absorbed: %v", order, absorbed)
		}
	}
}
