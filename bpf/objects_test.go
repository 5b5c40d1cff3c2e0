// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// The committed objects are identical to what the compiler makes from the committed source.
func TestObjectsAreBuiltFromTheirSource(t *testing.T) {
	testneed.Command(t, "clang-14")
	testneed.Command(t, "llvm-strip-14")
	dir := t.TempDir()
	tool := filepath.Join(dir, "bpf2go")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/cilium/ebpf/cmd/bpf2go").CombinedOutput(); err != nil {
		t.Fatalf("building bpf2go: %v\n%s", err, out)
	}
	for _, pattern := range []string{"*.c", "*.h"} {
		sources, err := filepath.Glob(pattern)
		if err != nil || len(sources) == 0 {
			t.Fatal("no source ", pattern, err)
		}
		for _, s := range sources {
			copyFile(t, s, filepath.Join(dir, s))
		}
	}
	for _, args := range generators(t) {
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPACKAGE=bpf", "C_INCLUDE_PATH=/usr/include/"+machine(t)+"-linux-gnu")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("bpf2go %q: %v\n%s", args, err, out)
		}
	}
	for _, name := range []string{"watch_bpfel", "watch_bpfeb", "filter_bpfel", "filter_bpfeb"} {
		for _, suffix := range []string{".o", ".go"} {
			here, err := os.ReadFile(name + suffix)
			if err != nil {
				t.Fatal(err)
			}
			made, err := os.ReadFile(filepath.Join(dir, name+suffix))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(here, made) {
				t.Errorf("%s%s is not what its source makes: make bpf", name, suffix)
			}
		}
	}
}

// generators returns the arguments of each go:generate line of bpf.go.
func generators(t *testing.T) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile("bpf.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if args, ok := strings.CutPrefix(line, "//go:generate go tool bpf2go "); ok {
			all = append(all, strings.Fields(args))
		}
	}
	if len(all) == 0 {
		t.Fatal("bpf.go generates nothing")
	}
	return all
}

// machine returns the name of the architecture in the paths of Debian's headers.
func machine(t *testing.T) string {
	t.Helper()
	name, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if !ok {
		testneed.Missing(t, "clang-14", "where the headers are on %s is not known", runtime.GOARCH)
	}
	return name
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
