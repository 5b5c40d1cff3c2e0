// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"testing"

	"stillwatch/schemas"
)

func TestCardsShowLastRevisionsByIncident(t *testing.T) {
	var b bytes.Buffer
	d := NewIncidentCards(&Terminal{Width: 80}, &b)
	put := func(id, incident, title string) {
		t.Helper()
		if err := d.Add(&schemas.Alert{ID: id, IncidentID: incident, Title: title}); err != nil {
			t.Fatal(err)
		}
	}
	put("1", "A", "first, early")
	put("2", "B", "second")
	put("3", "A", "third")
	put("1", "A", "first, late")
	put("4", "", "alone")
	put("5", "", "alone too")
	if err := d.write(len(d.order)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		for _, title := range []string{"first, early", "first, late", "second", "third", "alone too", "alone"} {
			if line == title+"\n" {
				got = append(got, title)
			}
		}
	}
	if want := "[first, late third second alone alone too]"; fmt.Sprint(got) != want {
		t.Errorf("shown %v, want %s", got, want)
	}
}

func TestIncidentBeginsWithItsChain(t *testing.T) {
	var b bytes.Buffer
	d := NewIncidentCards(&Terminal{Width: 80}, &b)
	for i, rule := range []string{"D07", "D01", "D42"} {
		a := &schemas.Alert{ID: rule, IncidentID: "A", Title: "title of " + rule, Rule: schemas.AlertRule{ID: rule}, Device: schemas.AlertDevice{Key: "srv"}}
		a.Time.EventStart, a.Time.EventEnd = schemas.Time(i*1e9), schemas.Time(i*2e9)
		if err := d.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.write(3); err != nil {
		t.Fatal(err)
	}
	if want := "Incident A: 3 alerts on 1 device, 1970-01-01 00:00:00 to 1970-01-01 00:00:04 UTC\n"; !strings.HasPrefix(strings.ReplaceAll(b.String(), "\n", " "), strings.ReplaceAll(want, "\n", " ")) {
		t.Errorf("begins with\n%.200s\nwant\n%s", b.String(), want)
	}
	at := func(rule string) int { return strings.Index(b.String(), "title of "+rule) }
	if at("D42") > at("D07") || at("D07") > at("D01") {
		t.Errorf("the order is not D42, D07, D01:\n%s", b.String())
	}
}

// Of many cards, incidents of several alerts come first, and then the most severe.
func TestIncidentsComeFirstOfMany(t *testing.T) {
	var b bytes.Buffer
	d := NewIncidentCards(&Terminal{Width: 80}, &b)
	put := func(id int, incident, severity string) {
		t.Helper()
		if err := d.Add(&schemas.Alert{ID: fmt.Sprint(id), IncidentID: incident, Severity: severity, Title: severity + " of " + cmp.Or(incident, "none")}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range ManyCards - 4 {
		put(i, "", "low")
	}
	put(100, "A", "medium")
	put(101, "A", "low")
	put(102, "B", "low")
	put(103, "B", "critical")
	if d.Many() {
		t.Errorf("%d cards are not many", ManyCards)
	}
	put(104, "C", "high")
	if !d.Many() {
		t.Errorf("%d cards are many", ManyCards+1)
	}
	if err := d.Finish(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, title := range []string{"low of B", "critical of B", "medium of A", "low of A", "high of C", "low of none"} {
		at := strings.Index(b.String(), title)
		if at <= last {
			t.Errorf("%q is at %d, and the one before at %d", title, at, last)
		}
		last = at
	}
}

func TestHeldCardsAreBounded(t *testing.T) {
	var b bytes.Buffer
	d := NewIncidentCards(&Terminal{Width: 80}, &b)
	const alerts = maxHeld*2 + 10
	for i := range alerts {
		if err := d.Add(&schemas.Alert{ID: fmt.Sprint(i), IncidentID: fmt.Sprint(i % 7), Title: fmt.Sprintf("title-%d-", i)}); err != nil {
			t.Fatal(err)
		}
		if len(d.order) > maxHeld || len(d.byID) != len(d.order) {
			t.Fatalf("%d alerts held", len(d.order))
		}
	}
	if err := d.write(len(d.order)); err != nil {
		t.Fatal(err)
	}
	for i := range alerts {
		if n := strings.Count(b.String(), fmt.Sprintf("title-%d-", i)); n != 1 {
			t.Fatalf("alert %d is shown %d times", i, n)
		}
	}
}
