// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/extract"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/selection"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/terminal"
)

// check returns the selected time and Community ID.
func (c *extractCmd) check() (*extract.Selection, error) {
	n := 0
	for _, x := range []string{c.Alert, c.CommunityID, c.Device} {
		if x != "" {
			n++
		}
	}
	switch {
	case n != 1:
		return nil, errors.New("give one of --alert, --community-id and --device")
	case c.Alerts != "" && c.Alert == "":
		return nil, errors.New("--alerts is the file in which --alert is looked up: give --alert ID")
	}
	w := &extract.Selection{}
	if c.CommunityID != "" {
		id, ok := session.ParseCommunityID(c.CommunityID)
		if !ok {
			return nil, errors.New("--community-id: a Community ID looks like 1:LQU9qZlK+B5F3KDmev6m5PMibrg=")
		}
		w.Session(id)
	}
	zone, err := selection.ParseZone(c.TZ)
	if err != nil {
		return nil, fmt.Errorf("--tz: %w", err)
	}
	if c.From != "" {
		if w.From, err = selection.ParseTime(c.From, zone, false); err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
	}
	if c.To != "" {
		if w.To, err = selection.ParseTime(c.To, zone, true); err != nil {
			return nil, fmt.Errorf("--to: %w", err)
		}
	}
	if w.From != 0 && w.To != 0 && w.To < w.From {
		return nil, errors.New("the end is before the start")
	}
	return w, nil
}

// addDevice adds a device: an address, a MAC, a key, or a name in the inventory.
func addDevice(s *extract.Selection, text string, inv *contract.Inventory) error {
	name := text
	if rest, ok := strings.CutPrefix(text, "ip:"); ok {
		text, _, _ = strings.Cut(rest, "@")
	} else if rest, ok := strings.CutPrefix(text, "mac:"); ok {
		text = rest
	}
	if a, err := netip.ParseAddr(text); err == nil {
		s.Addr(a.Unmap())
		return nil
	}
	if m, err := net.ParseMAC(text); err == nil && len(m) == 6 {
		s.MAC(packet.MAC(m))
		return nil
	}
	known := false
	if inv != nil {
		for _, e := range inv.Devices {
			if e.Name != name {
				continue
			}
			known = true
			if e.Match.IP.IsValid() {
				s.Addr(e.Match.IP)
			}
			if !e.Match.MAC.IsZero() {
				s.MAC(e.Match.MAC)
			}
		}
	}
	switch {
	case known && s.Empty():
		return fmt.Errorf("--device: the inventory matches %s by neither address nor MAC: give one of them", name)
	case !known && inv == nil:
		return fmt.Errorf("--device: %s is no address, MAC or key; a name needs --inventory", name)
	case !known:
		return fmt.Errorf("--device: %s is no address, MAC or key, and not in the inventory", name)
	}
	return nil
}

// errNoAlert is the error for an alert that does not exist.
func errNoAlert(id, where string) error {
	return &exitError{status: exitIncomplete, err: fmt.Errorf("no alert has the id %s in %s", id, where)}
}

// findAlert returns the last revision of the alert, from --alerts or by replaying the captures.
func (c *extractCmd) findAlert(t *terminal.Terminal, log *zap.Logger, cfg pipeline.Config) (*schemas.Alert, error) {
	if c.Alerts != "" {
		f, err := os.Open(c.Alerts)
		if err != nil {
			return nil, badUsage(err)
		}
		defer func() { _ = f.Close() }() // it was only read
		a, err := lastRevision(f, c.Alert)
		if err != nil {
			return nil, badUsage(fmt.Errorf("%s: %w", c.Alerts, err))
		}
		if a == nil {
			return nil, errNoAlert(c.Alert, c.Alerts)
		}
		return a, nil
	}
	if name := readOnce(c.Captures); name != "" {
		return nil, badUsage(fmt.Errorf("--alert reads the captures twice: give files, not %s, or --alerts FILE", name))
	}
	s := watchSignals(context.Background())
	defer s.stop()
	src, err := openCaptures(s, zap.NewNop(), c.Captures) // the second reading warns about those that are skipped
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var found *schemas.Alert
	r, err := pipeline.New(cfg, src, pipeline.Output{Policy: logPolicies(log), Alert: func(a *schemas.Alert) error {
		if a.ID == c.Alert {
			last := *a
			found = &last
		}
		return nil
	}})
	if err != nil {
		return nil, badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint())
	var fault *pipeline.PanicError
	switch {
	case errors.As(end.err, &fault):
		return nil, crash(fault)
	case end.signal != 0:
		return nil, endedBy(end.signal, "nothing was written")
	case end.err != nil:
		return nil, end.err
	case found == nil:
		return nil, errNoAlert(c.Alert, "these captures; ids depend on inventory and configuration")
	}
	return found, nil
}

// maxRecord bounds a line of a file of alerts.
const maxRecord = 16 << 20

// lastRevision returns the last revision of an alert in JSON Lines, nil if there is none.
func lastRevision(r io.Reader, id string) (found *schemas.Alert, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRecord)
	for n := 1; lines.Scan(); n++ {
		if !bytes.Contains(lines.Bytes(), []byte(id)) {
			continue
		}
		var a schemas.Alert
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("line %d is no alert: %w", n, err)
		}
		if a.ID == id && (found == nil || a.Revision >= found.Revision) {
			found = &a
		}
	}
	return found, lines.Err()
}
