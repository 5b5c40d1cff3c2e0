// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stillwatch/internal/testlab/lab"
	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/progress"
	"stillwatch/internal/testlab/screen"
	"stillwatch/internal/testlab/story"
	"stillwatch/schemas"
)

// mirrorFlags select the kind of mirror.
type mirrorFlags struct {
	Mirror string `help:"How frames reach the sensor: ${enum}." enum:"${ways}" default:"direct"`
	OneWay bool   `help:"Mirror one direction only: omit frames that arrive on the uplink."`
}

func (f mirrorFlags) options(told func(progress.Step)) (lab.Options, error) {
	program, err := os.Executable()
	return lab.Options{Mirror: netns.Mirror{Way: f.Mirror, OneWay: f.OneWay}, Program: program, OnStep: told}, err
}

type runCmd struct {
	mirrorFlags
	Sensor string   `help:"Path of the sensor." default:"bin/stillwatch-sensor" type:"existingfile"`
	Mode   string   `help:"How the sensor captures: ${enum}. file: replay what tcpdump recorded." enum:"auto,xdp,afpacket,file" default:"auto"`
	Story  []string `help:"Stories to run." default:"S1,S3"`
	Record string   `help:"Write the frames of the mirror port to FILE (pcap, by tcpdump)." placeholder:"FILE" type:"path"`
	Once   bool     `help:"Exit after the stories, with status 1 if an expected alert is missing. Without it the lab runs until Ctrl-C."`
}

// Run runs the stories and prints the results.
func (c *runCmd) Run(ctx context.Context) (err error) {
	if err := netns.Needs(); err != nil {
		return err
	}
	stories, err := c.stories()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stillwatch-lab-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &run{runCmd: c, dir: dir, score: story.NewScore(stories, lab.SensorID, c.OneWay), view: screen.NewView(os.Stdout)}
	o, err := c.options(func(x progress.Step) { r.score.Step(x); r.view.Step(x) })
	if err != nil {
		return err
	}
	fmt.Print(screen.Picture(c.Mirror, c.OneWay))
	if r.lab, err = lab.Open(ctx, o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.lab.Close()) }()
	if err := r.perform(ctx, stories); err != nil {
		return err
	}
	fmt.Print(screen.Table(r.score.Results(), c.Mode == file), r.view.Summary())
	if n := r.score.Missing(); n > 0 && c.Once {
		return fmt.Errorf("%d expected alerts are missing", n)
	}
	if !c.Once {
		hints(r.lab, o.Program)
		<-ctx.Done()
	}
	return r.lab.Failure()
}

// hints prints commands for a running lab.
func hints(s *lab.Lab, program string) {
	fmt.Printf("\nthe mirror port   ip netns exec %s tcpdump -ni %s\na story again     ip netns exec %s %s act S1\nCtrl-C removes it all.\n",
		s.Namespace(netns.Sensor), netns.SensorPort, s.Namespace(netns.Outside), program)
}

const file = "file"

func (c *runCmd) stories() (list []story.Story, err error) {
	for _, s := range story.Stories() {
		if slices.Contains(c.Story, s.Name) {
			list = append(list, s)
		}
	}
	if len(list) != len(c.Story) {
		return nil, fmt.Errorf("--story %s: there are S1 and S3", strings.Join(c.Story, ","))
	}
	return list, nil
}

// run is the state of one run.
type run struct {
	*runCmd
	dir   string
	score *story.Score
	view  *screen.View
	lab   *lab.Lab
}

func (r *run) alert(a schemas.Alert) {
	came := time.Now()
	if r.Mode == file {
		came = time.Unix(0, int64(a.Time.DetectedAt))
	}
	r.view.Alert(a, r.score.Alert(a, came))
}

// perform starts the sensor and runs the stories.
func (r *run) perform(ctx context.Context, stories []story.Story) (err error) {
	inventory, config, err := lab.Files(r.dir, lab.SensorID)
	if err != nil {
		return err
	}
	args := []string{"--inventory", inventory, "--config", config}
	recorded := r.Record
	if recorded == "" && r.Mode == file {
		recorded = filepath.Join(r.dir, "mirror.pcap")
	}
	stopRecord := func() error { return nil }
	if recorded != "" {
		if stopRecord, err = r.lab.Record(recorded); err != nil {
			return err
		}
	}
	var w *lab.Sensor
	if r.Mode != file {
		if w, err = r.lab.Watch(ctx, r.Sensor, append(args, "--mode", r.Mode), r.alert); err != nil {
			return errors.Join(err, stopRecord())
		}
	}
	err = r.act(ctx, stories)
	if w != nil {
		if err == nil {
			r.score.Wait(r.patience())
		}
		err = errors.Join(err, w.Stop())
	}
	if err = errors.Join(err, stopRecord()); err == nil && r.Mode == file {
		err = r.replay(ctx, append(args, recorded))
	}
	return err
}

// patience limits the wait for alerts after the last step. A one-sided session is reported when it expires, after 70 seconds.
func (r *run) patience() time.Duration {
	if r.OneWay {
		return 2 * time.Minute
	}
	return 20 * time.Second
}

func (r *run) act(ctx context.Context, stories []story.Story) error {
	r.view.Heading("ordinary traffic: three streams, pages, lookups")
	select {
	case <-time.After(4 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, s := range stories {
		r.view.Heading(s.Name + ", " + s.Title)
		if err := r.lab.Act(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// replay runs the sensor on the recorded capture.
func (r *run) replay(ctx context.Context, args []string) error {
	c := exec.CommandContext(ctx, r.Sensor, append([]string{"replay", "--alerts", "-"}, args...)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	if err := errors.Join(lab.Alerts(out, r.alert), c.Wait()); err != nil {
		return fmt.Errorf("replay: %w: %s", err, stderr.String())
	}
	return nil
}

type upCmd struct {
	mirrorFlags
}

// Run keeps a lab until ctx ends.
func (c *upCmd) Run(ctx context.Context) error {
	if err := netns.Needs(); err != nil {
		return err
	}
	o, err := c.options(nil)
	if err != nil {
		return err
	}
	s, err := lab.Open(ctx, o)
	if err != nil {
		return err
	}
	fmt.Print(screen.Picture(c.Mirror, c.OneWay))
	hints(s, o.Program)
	<-ctx.Done()
	return errors.Join(s.Failure(), s.Close())
}
