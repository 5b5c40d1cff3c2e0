// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/evidence"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
)

// evidenceName is the name of a file with the packets of an alert.
var evidenceName = regexp.MustCompile(`^[0-9a-f]{64}\.pcapng$`)

// evidenceDir is a folder with the packets of alerts. A file has the hash of its content as its name, so a file that exists is the same and stays.
type evidenceDir struct {
	dir   string
	most  int64        // bytes of all files; 0: no limit
	files []storedFile // the oldest first; only with a limit
	size  int64        // of files
	log   *zap.Logger  // nil: an error ends the run
}

type storedFile struct {
	name    string
	size    int64
	written int64
}

// openEvidenceDir creates the folder if necessary. With a limit, the files that are there count and are removed first.
func openEvidenceDir(dir string, most int64, log *zap.Logger) (*evidenceDir, error) {
	e := &evidenceDir{dir: dir, most: most, log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--evidence: %w", err)
	}
	if most == 0 {
		return e, nil
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("--evidence: %w", err)
	}
	for _, f := range found {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() && evidenceName.MatchString(f.Name()) {
			e.files = append(e.files, storedFile{f.Name(), info.Size(), info.ModTime().UnixNano()})
			e.size += info.Size()
		}
	}
	slices.SortFunc(e.files, func(a, b storedFile) int {
		return cmp.Or(cmp.Compare(a.written, b.written), cmp.Compare(a.name, b.name))
	})
	return e, nil
}

// put stores a file. A live sensor goes on watching when the disk is full: the error is logged, and counted by the pipeline.
func (e *evidenceDir) put(f *evidence.File) error {
	err := e.store(f)
	if err != nil && e.log != nil {
		e.log.Warn("the packets of an alert cannot be written", zap.String("alert", f.Alert), zap.Error(err))
	}
	return err
}

func (e *evidenceDir) store(f *evidence.File) error {
	name := filepath.Join(e.dir, f.FileName())
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := e.makeRoom(int64(len(f.Data))); err != nil {
		return err
	}
	t, err := os.CreateTemp(e.dir, ".evidence-*") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = t.Write(f.Data)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	if e.most > 0 {
		e.files, e.size = append(e.files, storedFile{name: f.FileName(), size: int64(len(f.Data))}), e.size+int64(len(f.Data))
	}
	return nil
}

// makeRoom removes the oldest files until n further bytes are within the limit.
func (e *evidenceDir) makeRoom(n int64) error {
	for e.most > 0 && len(e.files) > 0 && e.size+n > e.most {
		if err := os.Remove(filepath.Join(e.dir, e.files[0].name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		e.size -= e.files[0].size
		e.files = e.files[1:]
	}
	return nil
}

// keepEvidence writes the packets of alerts to a folder. A live run bounds the folder.
func (o *outputs) keepEvidence(dir string, cfg *pipeline.Config, log *zap.Logger) error {
	if dir == "" {
		return nil
	}
	most := int64(cfg.Settings.EvidenceFiles)
	if cfg.Replay {
		most, log = 0, nil
	}
	e, err := openEvidenceDir(dir, most, log)
	if err == nil {
		o.Evidence = both(e.put, o.Evidence)
	}
	return err
}

// evidenceTo returns a function that sends the packets of alerts to Kafka.
func evidenceTo(p *publish.Publisher, cfg *pipeline.Config) func(*evidence.File) error {
	from := schemas.EvidenceSensor{ID: cfg.Settings.SensorID, Site: cfg.Site()}
	return func(f *evidence.File) error {
		return p.Evidence(&schemas.Evidence{Schema: schemas.EvidenceSchema, Alert: f.Alert, SHA256: f.SHA256, Packets: f.Packets, Summary: f.Summary,
			Time: schemas.Time(f.At), Sensor: from, Data: f.Data})
	}
}
