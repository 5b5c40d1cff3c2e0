// SPDX-License-Identifier: Apache-2.0

package testneed

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// recorder is a testing.TB that records how the test ended.
type recorder struct {
	testing.TB
	ended string
}

func (w *recorder) Helper()      {}
func (w *recorder) Name() string { return "TestRecorded" }
func (w *recorder) Skipf(f string, a ...any) {
	w.ended = "skip: " + fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (w *recorder) Fatalf(f string, a ...any) {
	w.ended = "fail: " + fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (w *recorder) Fatal(a ...any) { w.Fatalf("%s", fmt.Sprint(a...)) }

func end(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	w := &recorder{TB: t}
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
			if want := "kafka: no broker (TestRecorded)\n"; strings.HasPrefix(c.want, "skip") && string(line) != want {
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
			t.Error("Corpus does not return STILLWATCH_CORPUS")
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

func TestProgram(t *testing.T) {
	t.Setenv("STILLWATCH_PROGRAMS", "")
	if got, err := Program(t.TempDir(), "scripts/none"); err == nil || !strings.Contains(err.Error(), "scripts/none") {
		t.Errorf("a folder without a program gave %q, %v", got, err)
	}
	t.Setenv("STILLWATCH_PROGRAMS", "/built")
	if got, err := Program(t.TempDir(), "scripts/lab"); got != "/built/lab" || err != nil {
		t.Errorf("a program that is built gave %q, %v", got, err)
	}
}

var (
	declared  = regexp.MustCompile(`(?m)^\t(\w+Need) += "(\w+)"`)
	requested = regexp.MustCompile(`(?:testneed\.)?(?:Missing|Command|python)\(\w+, (?:"([\w-]+)"|(?:testneed\.)?(\w+Need))`)
	listed    = regexp.MustCompile(`STILLWATCH_REQUIRE(?:=\$\{STILLWATCH_REQUIRE:-|: )([\w,-]+)`)
)

// TestRequirementsAreUsed checks that every declared requirement, and every one that CI or the documentation lists, is requested by a test.
func TestRequirementsAreUsed(t *testing.T) {
	root := Root(t)
	read := func(path string) string {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	names := map[string]string{} // by constant
	for _, m := range declared.FindAllStringSubmatch(read("internal/testneed/testneed.go"), -1) {
		names[m[1]] = m[2]
	}
	used := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "testneed_test.go") {
			return err
		}
		for _, m := range requested.FindAllStringSubmatch(read(path), -1) {
			used[m[1]+names[m[2]]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for constant, name := range names {
		if !used[name] {
			t.Errorf("no test uses %s", constant)
		}
	}
	for _, path := range []string{".ci/run", ".github/workflows/ci.yml"} {
		m := listed.FindStringSubmatch(read(path))
		if m == nil {
			t.Fatalf("%s does not set STILLWATCH_REQUIRE", path)
		}
		for _, name := range strings.Split(m[1], ",") {
			if !used[name] {
				t.Errorf("%s requires %s, which no test uses", path, name)
			}
		}
	}
}
