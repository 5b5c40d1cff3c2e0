// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// maxDeadLetterBytes bounds the dead-letter file.
const maxDeadLetterBytes = 256 << 20

// errDeadLetterFull means that the dead-letter file has reached its maximum size.
var errDeadLetterFull = errors.New("the dead-letter file is full: move it away")

// deadLetterFile stores the records that every broker rejects as JSON Lines beside the spool, so that they are not lost and block nothing. It
// is safe for concurrent use.
type deadLetterFile struct {
	path string
	most int64
	mu   sync.Mutex
}

func newDeadLetterFile(dir string) *deadLetterFile {
	return &deadLetterFile{path: filepath.Join(dir, "dead-letter.jsonl"), most: maxDeadLetterBytes}
}

func (p *deadLetterFile) add(r *Record, why string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, err := json.Marshal(map[string]any{"topic": r.Topic, "key": r.Key, "why": why, "value": string(r.Value)})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(p.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size()+int64(len(line)) > p.most {
		err = fmt.Errorf("%s: %w", p.path, errDeadLetterFull)
	}
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
