// SPDX-License-Identifier: Apache-2.0

// Package testneed is how a test asks for what a machine may lack: the corpus of captures, a tool, a privilege, a broker.
// What is absent skips the test with a reason, unless the environment variable STILLWATCH_REQUIRE (names separated by
// commas) names it: then the test fails, so that a check that must run cannot vanish unseen.
package testneed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The needs that STILLWATCH_REQUIRE can name, besides the name of any tool that is asked for by Command.
const (
	CorpusNeed   = "corpus"   // the captures with their truth
	BPFNeed      = "bpf"      // the right to load programs into the kernel
	KafkaNeed    = "kafka"    // a Kafka broker
	PostgresNeed = "postgres" // a PostgreSQL server
	BrowserNeed  = "browser"  // a web browser that can be driven
	LoginsNeed   = "logins"   // the clients and servers of the login matrix (scripts/logins)
	RootNeed     = "root"     // all privileges: to make network namespaces, to change the user
)

// Missing ends the test: it fails when need is required, and is skipped otherwise. A skip is also written, one line each, to
// the file that STILLWATCH_SKIPS names, for the list at the end of a run.
func Missing(t testing.TB, need, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if Required(need) {
		t.Fatalf("%s is required here: %s", need, reason)
	}
	record(t, need, reason)
	t.Skipf("%s: %s", need, reason)
}

// Required reports whether STILLWATCH_REQUIRE names need.
func Required(need string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv("STILLWATCH_REQUIRE"), ","), func(s string) bool {
		return strings.TrimSpace(s) == need
	})
}

// Corpus gives the folder of the corpus: STILLWATCH_CORPUS, else ../shared/corpus beside the repository.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("STILLWATCH_CORPUS")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "corpus")
	}
	if info, err := os.Stat(filepath.Join(dir, "captures")); err != nil || !info.IsDir() {
		Missing(t, CorpusNeed, "no captures in %s (set STILLWATCH_CORPUS)", filepath.Base(dir))
	}
	return dir
}

// Command gives the path of an installed program.
func Command(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, "%s is not installed", name)
	}
	return path
}

// Root gives the folder of the repository: the nearest one above the working directory with a go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

// record appends one line; O_APPEND keeps the lines of test programs that run at once apart.
func record(t testing.TB, need, reason string) {
	t.Helper()
	name := os.Getenv("STILLWATCH_SKIPS")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Logf("skip not recorded: %v", err)
		return
	}
	_, err = fmt.Fprintf(f, "%s: %s (%s)\n", need, reason, t.Name())
	if err = errors.Join(err, f.Close()); err != nil {
		t.Logf("skip not recorded: %v", err)
	}
}
