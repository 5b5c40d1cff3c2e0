// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/enrich"
)

// maxArchive bounds an archive, and what is unpacked of it.
const maxArchive = 640 << 20

// Updated is a data file that an update has put into the folder.
type Updated struct{ Name, File, From, To string } // From, To: dates; From is "" if there was none

// Update checks one data file or an archive of them (tar.gz, zip) in full, and then replaces those files of the folder in one step: a reader
// sees all of them or none, also after a loss of power. Data older than that in use is refused unless force is set. Default credentials are
// stored as hashes.
func Update(dir, from string, force bool) (done []Updated, err error) {
	files, err := open(from)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(dir, true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := settle(dir); err != nil {
		return nil, err
	}
	for _, f := range files {
		u, err := check(dir, f, force)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		done = append(done, u)
	}
	if err := stage(dir, files); err != nil {
		return nil, err
	}
	return done, settle(dir)
}

// candidate is a file of an update.
type candidate struct {
	asset asset
	data  []byte
}

// check checks a file and compares its date with that of the file in use.
func check(dir string, f candidate, force bool) (Updated, error) {
	u := Updated{Name: f.asset.name, File: f.asset.file}
	t, err := f.asset.read(f.data)
	if err != nil {
		return u, fmt.Errorf("%s: %w", f.asset.file, err)
	}
	u.To = t.head.Date
	old, _, err := f.asset.load(dir)
	if err != nil && !force { // a damaged file can be replaced
		return u, fmt.Errorf("the file in use cannot be read, so its date is not known: %w; --force replaces it", err)
	}
	if old != nil {
		u.From = old.head.Date
	}
	if u.To < u.From && !force {
		return u, fmt.Errorf("%s is of %s, older than that in use (%s); --force replaces it", f.asset.file, u.To, u.From)
	}
	return u, nil
}

// open returns the data files in a file.
func open(from string) ([]candidate, error) {
	b, err := readFile(from, maxArchive)
	if err != nil {
		return nil, err
	}
	var files []candidate
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		files, err = untar(b)
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		files, err = unzip(b)
	default:
		files, err = single(filepath.Base(from), b)
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no data file in it; they are named %s", names())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return files, nil
}

// single takes a file by its name. A MaxMind DB may have any name.
func single(name string, b []byte) ([]candidate, error) {
	if strings.HasSuffix(name, ".mmdb") {
		m, err := enrich.ParseMMDB(b)
		if err != nil {
			return nil, err
		}
		if name = "country.mmdb"; m.ASNs() {
			name = "asn.mmdb"
		}
	}
	return collect(nil, name, int64(len(b)), bytes.NewReader(b))
}

func untar(b []byte) (files []candidate, err error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	r := tar.NewReader(io.LimitReader(z, maxArchive))
	for n := 0; ; n++ {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case err != nil:
			return nil, fmt.Errorf("damaged: %w", err)
		case n == maxEntries:
			return nil, fmt.Errorf("more than %d entries", maxEntries)
		case h.Typeflag == tar.TypeDir:
			continue
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%.80q is not a regular file", h.Name)
		}
		if files, err = collect(files, h.Name, h.Size, r); err != nil {
			return nil, err
		}
	}
}

func unzip(b []byte) (files []candidate, err error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("more than %d entries", maxEntries)
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if !f.Mode().IsRegular() {
			return nil, fmt.Errorf("%.80q is not a regular file", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("damaged: %w", err)
		}
		files, err = collect(files, f.Name, int64(min(f.UncompressedSize64, maxArchive)), r)
		_ = r.Close() // everything was read
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

const maxEntries = 64

// collect adds one entry. Only its last name counts, and it must be that of a data file.
func collect(files []candidate, name string, size int64, r io.Reader) ([]candidate, error) {
	base := name[strings.LastIndexAny(name, `/\`)+1:]
	all := list()
	i := slices.IndexFunc(all, func(a asset) bool { return a.file == base })
	switch {
	case i < 0:
		return nil, fmt.Errorf("%.80q is no data file; they are named %s", name, names())
	case slices.ContainsFunc(files, func(f candidate) bool { return f.asset.file == base }):
		return nil, fmt.Errorf("%s is there twice", base)
	case size > all[i].limit:
		return nil, fmt.Errorf("%s: more than %d MiB", base, all[i].limit>>20)
	}
	b, err := bounded(r, base, size, all[i].limit)
	if err != nil {
		return nil, err
	}
	return append(files, candidate{all[i], b}), nil
}

// Export writes the embedded data files as an archive that Update reads. The same files give the same archive.
func Export(w io.Writer) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, a := range list() {
		if a.embedded == nil {
			continue
		}
		b := a.embedded()
		if err := t.WriteHeader(&tar.Header{Name: a.file, Mode: 0o644, Size: int64(len(b)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
			return err
		}
		if _, err := t.Write(b); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}
