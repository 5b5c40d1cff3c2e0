// SPDX-License-Identifier: Apache-2.0

package testneed

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// watched is a test that notes how it was ended instead of ending.
type watched struct {
	testing.TB
	ended string
}

func (w *watched) Helper()      {}
func (w *watched) Name() string { return "TestWatched" }
func (w *watched) Skipf(f string, a ...any) {
	w.ended = "skip: " + fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (w *watched) Fatalf(f string, a ...any) {
	w.ended = "fail: " + fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (w *watched) Fatal(a ...any) { w.Fatalf("%s", fmt.Sprint(a...)) }

func end(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	w := &watched{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); f(w) }()
	<-done
	return w.ended
}

func TestMissing(t *testing.T) {
	cases := []struct{ require, need, want string }{
		{"", "kafka", "skip: kafka: no broker"},
		{"bpf,corpus", "kafka", "skip: kafka: no broker"},
		{"bpf, kafka", "kafka", "fail: kafka is required here: no broker"},
		{"kafkaesque", "kafka", "skip: kafka: no broker"},
	}
	for _, c := range cases {
		t.Run(c.require, func(t *testing.T) {
			skips := filepath.Join(t.TempDir(), "skips")
			t.Setenv("STILLWATCH_REQUIRE", c.require)
			t.Setenv("STILLWATCH_SKIPS", skips)
			got := end(t, func(tb testing.TB) { Missing(tb, c.need, "no %s", "broker") })
			if got != c.want {
				t.Errorf("ended with %q, want %q", got, c.want)
			}
			line, _ := os.ReadFile(skips)
			if want := "kafka: no broker (TestWatched)\n"; strings.HasPrefix(c.want, "skip") && string(line) != want {
				t.Errorf("recorded %q, want %q", line, want)
			}
		})
	}
}

func TestCorpus(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STILLWATCH_REQUIRE", "")
	t.Setenv("STILLWATCH_SKIPS", "")
	t.Setenv("STILLWATCH_CORPUS", dir)
	if got := end(t, func(tb testing.TB) { Corpus(tb) }); !strings.HasPrefix(got, "skip: corpus:") {
		t.Errorf("a folder without captures ended with %q", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "captures"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := end(t, func(tb testing.TB) {
		if Corpus(tb) != dir {
			t.Error("STILLWATCH_CORPUS is not what is given")
		}
	}); got != "" {
		t.Errorf("ended with %q", got)
	}
}

func TestCommand(t *testing.T) {
	t.Setenv("STILLWATCH_REQUIRE", "no-such-tool")
	t.Setenv("STILLWATCH_SKIPS", "")
	if got, want := end(t, func(tb testing.TB) { Command(tb, "no-such-tool") }), "fail: no-such-tool is required here: no-such-tool is not installed"; got != want {
		t.Errorf("ended with %q, want %q", got, want)
	}
}

func TestRoot(t *testing.T) {
	if _, err := os.Stat(filepath.Join(Root(t), "LICENSE")); err != nil {
		t.Error(err)
	}
}
