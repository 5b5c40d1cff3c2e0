// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSplit(t *testing.T) {
	all, err := split([]string{"a", "true", "-x", "--", "b", "false"})
	if err != nil || len(all) != 2 || all[0].name != "a" || !slices.Equal(all[0].args, []string{"true", "-x"}) || all[1].args[0] != "false" {
		t.Fatalf("gave %+v, %v", all, err)
	}
	for _, bad := range [][]string{nil, {"a"}, {"a", "true", "--", "b"}, {"--"}} {
		if _, err := split(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestMedian(t *testing.T) {
	seconds := func(ns ...int) (runs []measure) {
		for _, n := range ns {
			runs = append(runs, measure{wall: time.Duration(n) * time.Second})
		}
		return runs
	}
	for _, c := range []struct {
		runs []measure
		want float64
	}{{seconds(3, 1, 2), 2}, {seconds(4, 1, 3, 2), 2.5}, {seconds(7), 7}} {
		if got := median(c.runs, func(m measure) float64 { return m.wall.Seconds() }); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.runs, got, c.want)
		}
	}
}

func TestRunsAreMeasuredAndFailuresTold(t *testing.T) {
	all := []*contestant{{name: "yes", args: []string{"true"}}, {name: "again", args: []string{"true"}}}
	if err := measureAll(all, 3); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printRows(&out, "tiny", 10, all)
	if len(all[0].runs) != 3 || all[0].runs[0].rss == 0 || strings.Count(out.String(), "| tiny |") != 2 {
		t.Errorf("measured %+v:\n%s", all[0].runs, out.String())
	}
	if err := measureAll([]*contestant{{name: "no", args: []string{"false"}}}, 1); err == nil {
		t.Error("a program that fails was measured")
	}
}
