// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// permutations calls f with every order of all.
func permutations(all []string, f func([]string)) {
	var place func(int)
	place = func(n int) {
		if n == len(all) {
			f(slices.Clone(all))
			return
		}
		for i := n; i < len(all); i++ {
			all[n], all[i] = all[i], all[n]
			place(n + 1)
			all[n], all[i] = all[i], all[n]
		}
	}
	place(0)
}

// reading returns which captures are read and which are skipped, without their folder.
func reading(t *testing.T, paths []string) (frames string, skipped []string) {
	t.Helper()
	f, err := OpenFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, g := range drain(t, f) {
		fmt.Fprintf(&b, "%d %d %d %q\n", g.Time, g.OrigLen, g.Link, g.data)
	}
	for _, s := range f.Skipped() {
		skipped = append(skipped, strings.ReplaceAll(filepath.Base(s.File)+": "+s.Reason, filepath.Dir(s.File)+"/", ""))
	}
	slices.Sort(skipped)
	if st := f.Stats(); st.BytesRead != st.BytesTotal || st.Files != uint64(len(paths)-len(skipped)) {
		t.Errorf("%+v", st)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	return b.String(), skipped
}

// Captures whose first packets have the same time are read in one order and the same packets once, whatever their order, names and compression.
func TestCapturesThatBeginTogether(t *testing.T) {
	one, other := frameOf(10, 4, 1), frameOf(10, 4, 2)
	longer := other
	longer.orig = 900
	files := map[string][]byte{
		"later.pcap":  plain(one, frameOf(12, 4, 3)),
		"longer.pcap": plain(longer),
		"more.pcap":   plain(one, frameOf(12, 4, 3), frameOf(13, 4, 3)),
		"link.pcap":   pcapOf(binary.LittleEndian, pcapMicro, 113, 0, one),
		"before.pcap": plain(frameOf(9, 4, 9)),
		"copy.pcap":   gzipped(t, plain(one, frameOf(12, 4, 3))),
		"empty.pcap":  nil,
	}
	write := func(names map[string]string) (dir string, paths []string) {
		dir = t.TempDir()
		for name, as := range names {
			if err := os.WriteFile(filepath.Join(dir, as), files[name], 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.Join(dir, as))
		}
		slices.Sort(paths)
		return dir, paths
	}
	plainNames, otherNames := map[string]string{}, map[string]string{}
	for name := range files {
		plainNames[name], otherNames[name] = name, fmt.Sprintf("%d-%s", len(name)*7%5, name)
	}
	_, paths := write(plainNames)
	want, skipped := reading(t, paths)
	if n := strings.Count(want, "\n"); n != 1+2+1+3+1 {
		t.Errorf("%d frames:\n%s", n, want)
	}
	if !slices.Equal(skipped, []string{"empty.pcap: it is empty", "later.pcap: it holds the same packets as copy.pcap"}) {
		t.Errorf("%q", skipped)
	}
	short := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { // the others have no byte to change
		return strings.HasSuffix(p, "before.pcap") || strings.HasSuffix(p, "empty.pcap")
	})
	permutations(short, func(given []string) {
		given = append(given, paths[0], filepath.Join(filepath.Dir(paths[0]), "empty.pcap"))
		if got, s := reading(t, given); got != want || !slices.Equal(s, skipped) {
			t.Errorf("%v:\n%s%q", given, got, s)
		}
	})
	_, renamed := write(otherNames)
	if got, _ := reading(t, renamed); got != want {
		t.Errorf("under other names:\n%snot\n%s", got, want)
	}
}

// A file with several names is read once, even if it is damaged. Captures without packets are not copies of each other.
func TestCopies(t *testing.T) {
	whole := plain(frameOf(5, 400, 1), frameOf(6, 400, 2))
	path, cut, cutAgain, none, noneAgain := put(t, whole), put(t, whole[:len(whole)-9]), put(t, whole[:len(whole)-9]), put(t, plain()), put(t, plain())
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFiles([]string{path, link, path, cut, none, cutAgain, noneAgain})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := len(drain(t, f)); n != 3 || len(f.Skipped()) != 3 || len(f.Stats().Damage) != 1 {
		t.Errorf("%d frames, skipped %v, damage %v", n, f.Skipped(), f.Stats().Damage)
	}
}

// An empty file is an error if there are no others, and is not reported beside another error.
func TestOnlyEmptyCaptures(t *testing.T) {
	a, b, text := put(t, nil), put(t, gzipped(t, nil)), put(t, []byte("hello"))
	_, err := OpenFiles([]string{a, b})
	if err == nil || !strings.Contains(err.Error(), a+": not a capture: empty") || !strings.Contains(err.Error(), b+": not a capture: empty in gzip") {
		t.Error(err)
	}
	if _, err = OpenFiles([]string{a, text}); err == nil || !strings.Contains(err.Error(), text) {
		t.Error(err)
	}
}
