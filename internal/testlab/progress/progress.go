// SPDX-License-Identifier: Apache-2.0

// Package progress carries messages from the processes of the lab to the process that started them: one JSON object a line on standard output.
package progress

import (
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"
)

// Step is an action in the lab. Key identifies it for expectations, and is "" if there are none.
type Step struct {
	Time time.Time `json:"time"`
	Who  string    `json:"who"`
	Key  string    `json:"key,omitempty"`
	Text string    `json:"text"`
}

// Ready is the key of the step that reports that a machine's servers listen.
const Ready = "ready"

var out = struct {
	sync.Mutex
	*json.Encoder
}{Encoder: json.NewEncoder(os.Stdout)}

// Report writes a step. It ignores errors: if the reader is gone, the lab has ended.
func Report(who, key, text string) {
	out.Lock()
	defer out.Unlock()
	_ = out.Encode(Step{time.Now(), who, key, text})
}

// Read calls f for each step until the stream ends.
func Read(r io.Reader, f func(Step)) error {
	for d := json.NewDecoder(r); ; {
		var s Step
		if err := d.Decode(&s); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		f(s)
	}
}
