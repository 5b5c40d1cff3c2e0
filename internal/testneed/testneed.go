// SPDX-License-Identifier: Apache-2.0

// Package testneed skips tests whose requirements a machine does not meet: the corpus of captures, a tool, a privilege, a
// broker. A test fails instead if the environment variable STILLWATCH_REQUIRE (names separated by commas) lists the missing
// requirement, so that CI cannot lose a check without notice.
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

// The requirements that STILLWATCH_REQUIRE can list. Others are named by the tests themselves; Command uses the name of the tool.
const (
	CorpusNeed  = "corpus"  // the captures with their ground truth
	BPFNeed     = "bpf"     // permission to load programs into the kernel
	KafkaNeed   = "kafka"   // a Kafka broker
	BrowserNeed = "browser" // a headless web browser
	LoginsNeed  = "logins"  // the clients and servers of the login matrix (scripts/logins)
	RootNeed    = "root"    // root privileges, to create network namespaces and to change the user
)

// Missing fails the test if need is required and skips it otherwise. A skip also adds a line to the file STILLWATCH_SKIPS, which
// scripts/test prints at the end of a run.
func Missing(t testing.TB, need, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if Required(need) {
		t.Fatalf("%s is required here: %s", need, reason)
	}
	record(t, need, reason)
	t.Skipf("%s: %s", need, reason)
}

// Required reports whether STILLWATCH_REQUIRE lists need.
func Required(need string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv("STILLWATCH_REQUIRE"), ","), func(s string) bool {
		return strings.TrimSpace(s) == need
	})
}

// Corpus returns the folder of the corpus: STILLWATCH_CORPUS, or ../shared/corpus next to the repository.
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

// Command returns the path of an installed program.
func Command(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, "%s is not installed", name)
	}
	return path
}

// Program returns the path of a program of this repository, which is named by its folder, such as "sensor" or "scripts/lab". scripts/test builds
// them once for all packages, in the folder STILLWATCH_PROGRAMS; without it the program is built into dir. As in a release, it has no cgo: with
// cgo, threads drop privileges in another way.
func Program(dir, folder string) (string, error) {
	name := filepath.Base(folder)
	if shared := os.Getenv("STILLWATCH_PROGRAMS"); shared != "" {
		return filepath.Join(shared, name), nil
	}
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-trimpath", "-o", path, "stillwatch/"+folder)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w: %s", folder, err, out)
	}
	return path, nil
}

// Root returns the root folder of the repository: the nearest folder above the working directory with a go.mod.
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

// record appends one line. O_APPEND keeps the lines of concurrent test programs apart.
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

// insideEnv is set in a test that runs in its own mount namespace.
const insideEnv = "STILLWATCH_TEST_NAMESPACE"

// MountNamespace runs the calling test again in a mount namespace of its own, and reports whether this is that run.
func MountNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	if _, err := exec.LookPath("unshare"); err != nil || os.Getuid() != 0 {
		Missing(t, "root", "mounting a small disk needs root and unshare")
	}
	cmd := exec.Command("unshare", "-m", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP") || strings.Contains(string(out), "unshare failed") {
		Missing(t, "root", "no mounts here: %s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}
