// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSuggestFromAPort lets a live sensor without privileges write drafts at SIGHUP and at the end: the first has the session that has not ended yet.
func TestSuggestFromAPort(t *testing.T) {
	d := deploy(t, 0, nil, "--mode", "afpacket", "--suggest", "DIR/draft.yaml", "--sessions", "DIR/sessions.jsonl")
	d.toldUntil(t, "READY=1")
	copying, calls := reloading()
	d.send(t, copying[:len(copying)/2])
	draft := filepath.Join(d.dir, "draft.yaml")
	waitUntil(t, "a draft with the session", func() bool {
		d.reload(t)
		return strings.Contains(read(t, draft), "- {peer: device:srv") || strings.Contains(read(t, draft), "proto: tcp, port: 80}")
	})
	if strings.Contains(read(t, draft), "4444") {
		t.Error("the draft has a session of the future")
	}
	d.send(t, append(copying[len(copying)/2:], calls...))
	d.end(t)
	if text := read(t, draft); !strings.Contains(text, "{peer: 198.51.100.23, proto: tcp, port: 4444}") {
		t.Errorf("the last draft lacks the last session:\n%s", text)
	}
}
