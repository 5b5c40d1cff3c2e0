// SPDX-License-Identifier: Apache-2.0

// Package progress is what the programs of a lab say to whoever started them: one JSON object a line on standard output.
package progress

import (
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"
)

// Step is something that was done in the lab. Key names it for what is expected of it; it is "" if nothing is.
type Step struct {
	Time time.Time `json:"time"`
	Who  string    `json:"who"`
	Key  string    `json:"key,omitempty"`
	Text string    `json:"text"`
}

// Ready is the key of the first step of a machine: its servers listen.
const Ready = "ready"

var out = struct {
	sync.Mutex
	*json.Encoder
}{Encoder: json.NewEncoder(os.Stdout)}

// Tell says a step. Whoever no longer listens has ended the lab, so there is nobody to tell.
func Tell(who, key, text string) {
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
