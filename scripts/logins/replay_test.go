// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// replayer runs the sensor over the capture and parts of it.
type replayer struct {
	t       *testing.T
	dir     string
	sensor  string
	capture string
}

func newReplayer(t *testing.T, capture string) *replayer {
	t.Helper()
	if keep := os.Getenv("STILLWATCH_LOGINS_CAPTURE"); keep != "" {
		b, err := os.ReadFile(capture)
		if err = errors.Join(err, os.WriteFile(keep, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	x := &replayer{t: t, dir: t.TempDir(), capture: capture}
	var err error
	if x.sensor, err = testneed.Program(x.dir, "sensor"); err != nil {
		t.Fatal(err)
	}
	return x
}

// replay returns the records of a capture.
func (x *replayer) replay(capture string, options ...string) (sessions []schemas.Session, alerts []schemas.Alert) {
	base := filepath.Join(x.dir, filepath.Base(capture))
	s, a := base+".sessions", base+".alerts"
	c := exec.Command(x.sensor, append([]string{"replay", "--sessions", s, "--alerts", a, capture}, options...)...)
	if out, err := c.CombinedOutput(); err != nil && c.ProcessState.ExitCode() != 1 {
		x.t.Errorf("%s: %v: %s", c, err, out)
		return nil, nil
	}
	return records[schemas.Session](x.t, s), records[schemas.Alert](x.t, a)
}

// alone replays the rows of protocols with a configuration one by one, so that the alerts of different rows are not mixed.
func (x *replayer) alone(runs []*run) {
	slots := make(chan struct{}, runtime.NumCPU())
	var rows sync.WaitGroup
	for _, r := range runs {
		if r.protocol.config == "" {
			continue
		}
		rows.Go(func() {
			slots <- struct{}{}
			r.said = r.protocol.says(x.row(r.host, r.protocol.config))
			<-slots
		})
	}
	rows.Wait()
}

// row replays the packets of one server address. Only server addresses are internal, so that every client is external.
func (x *replayer) row(host netip.Addr, config string) ([]schemas.Session, []schemas.Alert) {
	base := filepath.Join(x.dir, host.String())
	out, err := exec.Command("tcpdump", "-r", x.capture, "-w", base+".pcap", "host", host.String()).CombinedOutput()
	if err = errors.Join(err, os.WriteFile(base+".yaml", []byte(config), 0o600)); err != nil {
		x.t.Errorf("%v: %s", err, out)
		return nil, nil
	}
	return x.replay(base+".pcap", "--config", base+".yaml", "--internal", netns.ServerNet)
}

// records reads JSON Lines.
func records[T any](t *testing.T, file string) (all []T) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var r T
		if err := d.Decode(&r); err == io.EOF {
			return all
		} else if err != nil {
			t.Errorf("%s: %v", strings.TrimPrefix(file, filepath.Dir(file)), err)
			return all
		}
		all = append(all, r)
	}
}
