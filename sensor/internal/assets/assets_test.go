// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/lifecycle"
)

const (
	head    = "# Date: 2027-01-02\n# License: ours\n"
	release = "device\tAcme\tX*\t*\t2001-01-01\t-\thttps://example.com\n"
)

func put(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// packed returns a tar.gz of files given as name, text, name, text …
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || z.Close() != nil {
		t.Fatal("cannot close")
	}
	return b.Bytes()
}

func zipped(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func entries(t testing.TB, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestDescribe(t *testing.T) {
	all, err := Describe("")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 9 {
		t.Errorf("%d data files", len(all))
	}
	for _, x := range all {
		if x.Date < "2025-01-01" || x.License == "" || x.What == "" || x.File != "" || x.Rows == 0 && x.Name != "public suffixes" {
			t.Errorf("%+v", x)
		}
	}
}

// What Export writes, Update accepts, and it is the same.
func TestRoundTrip(t *testing.T) {
	var a, b bytes.Buffer
	if err := Export(&a); err != nil {
		t.Fatal(err)
	}
	if err := Export(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two exports differ", err)
	}
	dir := t.TempDir()
	done, err := Update(filepath.Join(dir, "assets"), put(t, dir, "a.tar.gz", a.Bytes()), false)
	if err != nil || len(done) != 8 {
		t.Fatal(done, err)
	}
	if got := entries(t, filepath.Join(dir, "assets")); got != "country.zst credentials.tsv evidence.tsv exploited.tsv oui.zst releases.tsv resolvers.tsv vendors.tsv" {
		t.Errorf("%q", got)
	}
	for _, x := range list() {
		if x.embedded == nil {
			continue
		}
		if got, err := os.ReadFile(filepath.Join(dir, "assets", x.file)); err != nil || !bytes.Equal(got, x.embedded()) {
			t.Errorf("%s differs (%v)", x.file, err)
		}
	}
	all, err := Describe(filepath.Join(dir, "assets"))
	if err != nil || all[0].File == "" {
		t.Errorf("%+v %v", all, err)
	}
}

// A file of the operator is used after Use, and the embedded one again without it.
func TestUse(t *testing.T) {
	t.Cleanup(func() {
		s, err := Load("")
		if err != nil {
			t.Fatal(err)
		}
		s.Use()
	})
	dir := t.TempDir()
	put(t, dir, "releases.tsv", []byte(head+release))
	put(t, dir, "vendors.tsv", []byte(head+"routerboard\tOther\tbrand\n"))
	put(t, dir, "notes.txt", []byte("ignored"))
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if lifecycle.Known.Get().Device("Acme", "X1", "") != nil {
		t.Error("used before Use")
	}
	table := evidence.InUse.Get()
	s.Use()
	if lifecycle.Known.Get().Device("Acme", "X1", "") == nil || lifecycle.Known.Get().Rows() != 1 || enrich.Canonical("Routerboard.com") != "Other" {
		t.Error("not used")
	}
	if evidence.InUse.Get() != table || enrich.ByAddress.Get().Of(netip.MustParseAddr("8.8.8.8")) != "US" {
		t.Error("an embedded file is gone")
	}
}

func TestUpdateOfOneFile(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	newer := put(t, from, "releases.tsv", []byte(head+release))
	done, err := Update(dir, newer, false)
	if err != nil || len(done) != 1 || done[0].To != "2027-01-02" || done[0].From >= done[0].To {
		t.Fatalf("%+v %v", done, err)
	}
	older := put(t, from, "a.zip", zipped(t, "assets/releases.tsv", strings.Replace(head+release, "2027", "2026", 1)))
	if _, err := Update(dir, older, false); err == nil || !strings.Contains(err.Error(), "older than that in use (2027-01-02); --force replaces it") {
		t.Errorf("older data: %v", err)
	}
	if done, err = Update(dir, older, true); err != nil || done[0].From != "2027-01-02" || done[0].To != "2026-01-02" {
		t.Errorf("older data by force: %+v %v", done, err)
	}
	put(t, dir, "releases.tsv", []byte("damaged"))
	if _, err := Update(dir, newer, false); err == nil || !strings.Contains(err.Error(), "--force replaces it") {
		t.Errorf("over a damaged file: %v", err)
	}
	if _, err := Update(dir, newer, true); err != nil {
		t.Error(err)
	}
}

// After its commit an update counts as a whole, also if the program stops before the files are at their places, and the next one goes on from there.
func TestUpdateIsOneStep(t *testing.T) {
	const exploited = "CVE-2001-0001\tAcme\tX*\tany\t2001-01-01\thttps://example.com\n"
	dir := t.TempDir()
	put(t, dir, "releases.tsv", []byte(head+release))
	files, err := open(put(t, t.TempDir(), "a.tar.gz", packed(t, "releases.tsv", head+strings.Replace(release, "Acme", "Other", 1), "exploited.tsv", head+exploited)))
	if err != nil {
		t.Fatal(err)
	}
	if err := stage(dir, files); err != nil {
		t.Fatal(err)
	}
	used := func() (n int) {
		s, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.Use()
		if lifecycle.Known.Get().Device("Other", "X1", "") != nil {
			n++
		}
		return n + lifecycle.InTheWild.Get().Rows()
	}
	t.Cleanup(func() { lifecycle.Known.Set(nil); lifecycle.InTheWild.Set(nil) })
	if got := entries(t, dir); got != ".update releases.tsv" || used() != 2 {
		t.Errorf("committed, not moved: %q, %d of 2 files used", got, used())
	}
	if err := os.Rename(filepath.Join(dir, committed, "exploited.tsv"), filepath.Join(dir, "exploited.tsv")); err != nil {
		t.Fatal(err)
	}
	if used() != 2 {
		t.Errorf("one file moved: %d of 2 files used", used())
	}
	if _, err := Update(dir, put(t, t.TempDir(), "vendors.tsv", []byte(head+"acme\tAcme\tbrand\n")), false); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, dir); got != "exploited.tsv releases.tsv vendors.tsv" || used() != 2 {
		t.Errorf("after the next update: %q, %d of 2 files used", got, used())
	}
	if err := os.Mkdir(filepath.Join(dir, ".new-1"), 0o700); err != nil { // of an update that stopped before its commit
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, ".new-1"), "releases.tsv", []byte("half of a fi"))
	if used() != 2 {
		t.Error("a file without a commit is used")
	}
}

// A reader gets the files of one update: it waits for one that is being written, and it waits for readers.
func TestReadersSeeOneUpdate(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	release := func(vendor string) []byte {
		row := func(s string) string { return strings.Replace(s, "Acme", vendor, 1) }
		return packed(t, "releases.tsv", head+row(release), "exploited.tsv", head+row("CVE-2001-0001\tAcme\tX*\tany\t2001-01-01\thttps://example.com\n"))
	}
	a, b := put(t, from, "a.tar.gz", release("Acme")), put(t, from, "b.tar.gz", release("Other"))
	if _, err := Update(dir, a, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lifecycle.Known.Set(nil); lifecycle.InTheWild.Set(nil) })
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 40 && err == nil; i++ {
			_, err = Update(dir, []string{a, b}[i%2], false)
		}
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		s, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.Use()
		one := lifecycle.Known.Get().Device("Acme", "X1", "") != nil
		if two := len(lifecycle.InTheWild.Get().Device("Acme", "X1", "", "", time.Unix(1e9, 0).AddDate(5, 0, 0))) > 0; one != two {
			t.Fatalf("files of two updates: releases %v, exploited %v", one, two)
		}
	}
}

// A bad update is one clear line and replaces nothing.
func TestBadUpdates(t *testing.T) {
	good := head + release
	link := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&tar.Header{Name: "releases.tsv", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}); err != nil || w.Close() != nil || z.Close() != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	tgz := packed(t, "releases.tsv", good)
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a.tar.gz", packed(t), "no data file in it"},
		{"a.tar.gz", packed(t, "releases.tsv", good, "other.tsv", "x"), `"other.tsv" is no data file; they are named oui.zst`},
		{"a.tar.gz", packed(t, "releases.tsv", good, "exploited.tsv", "x"), "exploited.tsv: date"},
		{"a.tar.gz", packed(t, "releases.tsv", good, "b/releases.tsv", good), "there twice"},
		{"a.tar.gz", packed(t, "../../releases.tsv\x1b[2J", good), "is no data file"},
		{"a.tar.gz", packed(t, "releases.tsv", head), "no rows"},
		{"a.tar.gz", packed(t, "releases.tsv", good+strings.Repeat("# filler\n", 600_000)), "more than 4 MiB"},
		{"a.tar.gz", packed(t, "oui.zst", "text"), "oui.zst: damaged"},
		{"a.tar.gz", link, "not a regular file"},
		{"a.tar.gz", tgz[:len(tgz)/2], "damaged"},
		{"a.zip", zipped(t, "releases.tsv", good)[:40], "damaged"},
		{"releases.tsv", []byte(good + "x\n"), "line 4: 1 columns, want 7"},
		{"releases.tsv", nil, "date"},
		{"some.tsv", []byte(good), "is no data file"},
		{"some.mmdb", []byte(good), "no MaxMind DB"},
	} {
		dir, from := t.TempDir(), t.TempDir()
		_, err := Update(dir, put(t, from, tt.name, tt.b), false)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if got := entries(t, dir); got != "" {
			t.Errorf("%s: left %q", tt.name, got)
		}
	}
	if _, err := Update(t.TempDir(), filepath.Join(t.TempDir(), "none"), false); err == nil {
		t.Error("a file that is not there was accepted")
	}
	if _, err := Update(t.TempDir(), t.TempDir(), false); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: %v", err)
	}
}

// Pairs of an operator are compared after Use, are stored as hashes, and are in no message.
func TestDefaultCredentials(t *testing.T) {
	t.Cleanup(func() {
		s, err := Load("")
		if err != nil {
			t.Fatal(err)
		}
		s.Use()
	})
	const rows = "Acme\tlogin\tops\tWinter2020\n"
	dir, from := t.TempDir(), t.TempDir()
	if _, err := Update(dir, put(t, from, "credentials.tsv", []byte(head+rows)), false); err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join(dir, "credentials.tsv"))
	if err != nil || bytes.Contains(stored, []byte("Winter2020")) || bytes.Contains(stored, []byte("ops")) {
		t.Errorf("%v: stored %s", err, stored)
	}
	plain := t.TempDir()
	put(t, plain, "credentials.tsv", []byte(head+rows)) // without update
	for _, d := range []string{dir, plain} {
		s, err := Load(d)
		if err != nil {
			t.Fatal(err)
		}
		is := func(user, password string) bool { return logins.IsDefaultPair([]byte(user), []byte(password)) }
		if is("ops", "Winter2020") || !is("admin", "12345") {
			t.Error("used before Use")
		}
		s.Use()
		if !is("ops", "Winter2020") || is("admin", "12345") {
			t.Errorf("%s: not used", d)
		}
		logins.InUse.Set(nil)
	}
	put(t, plain, "credentials.tsv", []byte(head+rows+"Acme\tlogin\ts3cret\n"))
	for _, err := range []error{func() error { _, err := Load(plain); return err }(), func() error { _, err := Describe(plain); return err }(),
		func() error { _, err := Update(dir, filepath.Join(plain, "credentials.tsv"), true); return err }()} {
		if err == nil || !strings.Contains(err.Error(), "line 4: 3 columns") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "Winter") {
			t.Errorf("a file that is wrong: %v", err)
		}
	}
}

func TestLoadReportsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there was accepted")
	}
	put(t, dir, "exploited.tsv", []byte(head+"x\n"))
	if _, err := Load(dir); err == nil || !strings.HasSuffix(err.Error(), "exploited.tsv: line 3: 1 columns, want 6 separated by tabs") {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("a.tar.gz", packed(f, "releases.tsv", head+release))
	f.Add("a.zip", zipped(f, "exploited.tsv", head))
	f.Add("oui.zst", []byte{0x28, 0xb5, 0x2f, 0xfd, 4, 0})
	f.Add("a.mmdb", []byte("\xab\xcd\xefMaxMind.com\xe1"))
	dir := f.TempDir()
	mutate.Fuzz(f, func(t *testing.T, name string, b []byte) {
		if name = filepath.Base(name); name == "." || name == "/" || strings.ContainsRune(name, 0) || len(name) > 100 {
			return
		}
		path := put(t, dir, "in", b)
		files, err := open(path)
		if err != nil {
			files, err = single(name, b)
		}
		if err != nil {
			return
		}
		for _, x := range files {
			_, _ = check(dir, x, true)
		}
	})
}
