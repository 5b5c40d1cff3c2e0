// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"stillwatch/internal/testneed"
)

// TestCorpusApplications compares the protocol of each session with the ground truth of the corpus.
func TestCorpusApplications(t *testing.T) {
	corpus := testneed.Corpus(t)
	rows := map[string][]appRow{}
	readApps(t, filepath.Join(corpus, "truth", "sessions.jsonl"), rows)
	captures := make([]string, 0, len(rows))
	for c := range rows {
		captures = append(captures, c)
	}
	sort.Strings(captures)
	right, wrong := 0, 0
	for _, c := range captures {
		flows := replay(t, filepath.Join(corpus, "captures", c))
		for _, row := range rows[c] {
			got := row.look(flows)
			if got == row.App {
				right++
				continue
			}
			wrong++
			t.Logf("%s: %s %v > %v is %s, named %q", c, row.Proto, row.Initiator, row.Responder, row.App, got)
		}
	}
	t.Logf("%d sessions named as they should be, %d not", right, wrong)
	if right*100 < 97*(right+wrong) {
		t.Errorf("%d of %d sessions", right, right+wrong)
	}
}

// appRow is a session of the ground truth with its protocol.
type appRow struct {
	Capture, Proto, App  string
	Initiator, Responder struct {
		IP   netip.Addr
		Port uint16
	}
}

func readApps(t *testing.T, path string, into map[string][]appRow) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var row appRow
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.App != "" {
			into[row.Capture] = append(into[row.Capture], row)
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
}

// look returns the name of a session; of several with the same endpoints, that of one with the expected name if there is one.
func (r *appRow) look(flows map[replayKey][]*replayFlow) (got string) {
	a := netip.AddrPortFrom(r.Initiator.IP, r.Initiator.Port)
	b := netip.AddrPortFrom(r.Responder.IP, r.Responder.Port)
	for _, f := range flows[replayKeyOf(r.Proto, a, b)] {
		if f.app != nil && got != r.App {
			got = f.app.Name
		}
	}
	return got
}
