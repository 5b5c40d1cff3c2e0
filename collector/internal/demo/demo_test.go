// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// build builds the sensor.
func build(t *testing.T) string {
	t.Helper()
	path, err := testneed.Program(t.TempDir(), "sensor")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAllAlertsOfStories(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, "go", "building the sensor: skipped by -short")
	}
	var out bytes.Buffer
	o := Options{Sensor: build(t), Stories: filepath.Join(testneed.Root(t), "scripts", "stories", "testdata"), Once: true, Out: &out, Version: "test", Log: zap.NewNop()}
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"S1", "S5", "srv-legacy-07", "D08", "returned by the API"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// script writes a shell script that acts as the sensor.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sensor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func stories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "S1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "S1", "input.pcap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestErrors(t *testing.T) {
	dir := stories(t)
	for _, c := range []struct{ name, sensor, stories, want string }{
		{"no stories", "/bin/true", t.TempDir(), "no story in"},
		{"no sensor", filepath.Join(dir, "none"), dir, "sensor: "},
		{"a sensor that fails", script(t, "echo the reason >&2; exit 3"), dir, "the reason"},
	} {
		err := Run(context.Background(), Options{Sensor: c.sensor, Stories: c.stories, Once: true, Out: &bytes.Buffer{}, Log: zap.NewNop()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMissingAlertIsError(t *testing.T) {
	const fake = `while [ "$1" != --alerts ]; do shift; done; echo '{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","revision":1}' > "$2"`
	o := Options{Sensor: script(t, fake), Stories: stories(t), Once: true, Out: &bytes.Buffer{}, Log: zap.NewNop(), Timeout: time.Second}
	if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "does not return 1 of 1 alerts") {
		t.Errorf("%v", err)
	}
}

func TestWaitReturnsMissingAlerts(t *testing.T) {
	a := raised{Alert: schemas.Alert{ID: "aaaaaaaaaaaaaaaaaaaaaaaaaa", Revision: 1}}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := wait(ctx, "http://127.0.0.1:1", "t", []raised{a, a}); len(got) != 2 {
		t.Errorf("%d missing", len(got))
	}
}

func TestTableIsSanitized(t *testing.T) {
	a := raised{Alert: schemas.Alert{ID: "x", Title: "a\x1b[2J\u202eb\nc", Device: schemas.AlertDevice{Key: "k\tl"}}, story: "S1"}
	var out bytes.Buffer
	if err := table(&out, []raised{a, a}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\u202e\t") || strings.Count(s, "\n") != 3 {
		t.Errorf("%q", s)
	}
}

func TestReadKeepsLastRevision(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	const lines = `{"id":"a","revision":1}` + "\n" + `{"id":"b","revision":1}` + "\n" + `{"id":"a","revision":3}` + "\n"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := read(path, "S1")
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[0].Revision != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}
