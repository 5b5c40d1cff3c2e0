// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // time zones on machines that have none

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/selection"
)

// selectionFlags select sessions to read and records to write.
type selectionFlags struct {
	Filter      string `help:"Read only the sessions that match EXPR, in the syntax of tcpdump." placeholder:"EXPR"`
	From        string `help:"Write only what happened at TIME or later: 2026-11-30, 2026-11-30 08:15 or 2026-11-30T08:15:30+01:00." placeholder:"TIME"`
	To          string `help:"Write only what happened up to TIME, and read no further." placeholder:"TIME"`
	Device      string `help:"Write only what concerns one device, by its key, name in the inventory, address or MAC, and its peers." placeholder:"DEVICE"`
	CommunityID string `name:"community-id" help:"Write only what concerns the session with this Community ID." placeholder:"ID"`
	TZ          string `name:"tz" help:"Time zone of --from, --to, the times on the terminal and those of other formats, such as Europe/Berlin." default:"UTC" placeholder:"ZONE"`
}

// active reports whether anything is selected.
func (s *selectionFlags) active() bool {
	return s.Filter != "" || s.From != "" || s.To != "" || s.Device != "" || s.CommunityID != ""
}

// texts describes what is selected.
func (s *selectionFlags) texts() (all []string) {
	for _, x := range [][2]string{{"sessions that match ", s.Filter}, {"device ", s.Device}, {"session ", s.CommunityID}, {"from ", s.From}, {"to ", s.To}} {
		if x[1] != "" {
			all = append(all, x[0]+x[1])
		}
	}
	return all
}

// apply sets the selection of a run.
func (s *selectionFlags) apply(cfg *pipeline.Config) error {
	zone, err := s.zone()
	if err != nil {
		return err
	}
	if s.Filter != "" {
		if cfg.Filter, err = selection.ParseFilter(s.Filter); err != nil {
			return fmt.Errorf("--filter: %w", err)
		}
	}
	if s.From == "" && s.To == "" && s.Device == "" && s.CommunityID == "" {
		return nil
	}
	r := &selection.Records{CommunityID: s.CommunityID}
	var fromErr, toErr error
	if s.From != "" {
		if r.From, fromErr = selection.ParseTime(s.From, zone, false); fromErr != nil {
			fromErr = fmt.Errorf("--from: %w", fromErr)
		}
	}
	if s.To != "" {
		if r.To, toErr = selection.ParseTime(s.To, zone, true); toErr != nil {
			toErr = fmt.Errorf("--to: %w", toErr)
		}
	}
	if s.Device != "" {
		r.Device(s.Device)
	}
	cfg.Records = r
	return errors.Join(fromErr, toErr, r.Check())
}

func (s *selectionFlags) zone() (*time.Location, error) {
	zone, err := selection.ParseZone(s.TZ)
	if err != nil {
		return nil, fmt.Errorf("--tz: %w", err)
	}
	return zone, nil
}
