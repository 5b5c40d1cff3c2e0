// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/doctor"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/privilege"
	"stillwatch/sensor/internal/terminal"
)

type doctorCmd struct {
	Iface         string   `help:"Interface to check: the mirror port." placeholder:"IF"`
	Seconds       int      `help:"Seconds to capture at the interface, from 1 to 3600 (30)." default:"30" placeholder:"N"`
	JSON          bool     `name:"json" help:"Write a JSON document instead of a table."`
	Kafka         []string `help:"Also check that these brokers accept records: host:port, separated by commas." placeholder:"BROKERS"`
	PublishConfig string   `help:"Check Kafka with the publish section of FILE (YAML)." placeholder:"FILE" type:"path"`
	Captures      []string `arg:"" optional:"" name:"capture" help:"Captures, or folders of captures, to check instead of an interface."`
}

// Help returns examples and the exit status.
func (doctorCmd) Help() string {
	return `The command sends nothing on the interface and writes nothing to Kafka. To capture it needs the capability cap_net_raw, or root.

Examples:

    stillwatch-sensor doctor --iface span0
    stillwatch-sensor doctor --iface span0 --seconds 10 --publish-config sensor.yaml
    stillwatch-sensor doctor --json span.pcapng

Exit status, by the worst finding: 0 no warning; 3 a warning; 4 a problem that keeps the sensor from working.
1 something could not be read or written; 2 bad usage, or an interface or file that cannot be opened.`
}

// Validate implements kong.Validatable.
func (c *doctorCmd) Validate() error {
	kafka := c.PublishConfig != "" || len(c.Kafka) > 0
	switch {
	case c.Iface != "" && len(c.Captures) > 0:
		return errors.New("give --iface or captures, not both")
	case c.Iface == "" && len(c.Captures) == 0 && !kafka:
		return errors.New("nothing to check: give --iface IF, a capture, or --kafka BROKERS")
	case c.Seconds < 1 || c.Seconds > 3600:
		return fmt.Errorf("--seconds: give a number from 1 to 3600, not %d", c.Seconds)
	}
	return nil
}

// Run checks and reports.
func (c *doctorCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	s := watchSignals(context.Background())
	defer s.stop()
	r := &doctor.Report{Version: 1, Source: "kafka", Findings: []doctor.Finding{}}
	if c.Iface != "" || len(c.Captures) > 0 {
		if err := c.check(t, s, r, b.Version); err != nil {
			return err
		}
	}
	if err := c.askKafka(s.ctx, r); err != nil {
		return badUsage(err)
	}
	r.Worst = doctor.Worst(r.Findings)
	if err := c.print(t, r); err != nil {
		return err
	}
	return doctorStatus(r.Worst)
}

// check observes the frames, then measures how fast the sensor processes them.
func (c *doctorCmd) check(t *terminal.Terminal, s *interrupt, r *doctor.Report, version string) error {
	src, port, err := c.open(t, s)
	if err != nil {
		return err
	}
	o, sample := doctor.NewObserver(port), &doctor.Sample{}
	ctx, began := s.ctx, time.Now()
	if port != nil {
		r.Source = port.Name
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.Seconds)*time.Second)
		defer stop()
		if t.ErrTTY {
			fmt.Fprintf(t.Err, "capturing at %s for %d s; press Ctrl-C to stop early\n", port.Name, c.Seconds)
		}
	} else {
		r.Source = strings.Join(c.Captures, " ")
	}
	defer context.AfterFunc(s.ctx, func() { _ = src.Close() })() // a read from a pipe may block forever
	err = o.Watch(ctx, src, sample)
	r.Seconds = time.Since(began).Seconds()
	stats := src.Stats()
	if e := src.Close(); err == nil && s.signal() == 0 {
		err = e
	}
	if err != nil && s.signal() == 0 {
		return &exitError{status: exitIncomplete, err: err}
	}
	if port != nil {
		port.Count(stats)
		r.Port = port
	}
	seen := o.Traffic()
	r.Traffic = &seen
	if r.Capacity, err = measure(sample, version); err != nil {
		return err
	}
	r.Findings = append(r.Findings, doctor.Check(r.Traffic, port)...)
	if r.Traffic.Frames > 0 {
		r.Findings = append(r.Findings, doctor.Rate(r.Traffic, r.Capacity))
	}
	for _, d := range stats.Damage {
		r.Findings = append(r.Findings, doctor.Finding{Check: doctor.CheckFrames, Level: doctor.Warning, Found: d.String(), Fix: "the rest of the file was not checked"})
	}
	return nil
}

func (c *doctorCmd) open(t *terminal.Terminal, s *interrupt) (capture.Source, *doctor.Port, error) {
	if c.Iface == "" {
		log, err := newLogger(t, "warn")
		if err != nil {
			return nil, nil, err
		}
		src, err := openCaptures(s, log, c.Captures)
		return src, nil, err
	}
	src, err := capture.OpenLive(capture.LiveConfig{Iface: c.Iface, Mode: capture.ModeAFPacket})
	if err != nil {
		return nil, nil, badUsage(err)
	}
	port, err := doctor.LookAtPort(c.Iface)
	if err != nil {
		return nil, nil, badUsage(errors.Join(err, src.Close()))
	}
	port.TryModes()
	if err := c.drop(); err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return src, port, nil
}

// drop drops all privileges, as run does, because the packets are untrusted input. It skips what this kernel does not support.
func (c *doctorCmd) drop() error {
	to, err := c.target()
	if err != nil {
		return badUsage(err)
	}
	p := privilege.Config{Names: to != nil, Read: []string{c.PublishConfig}, Write: stackDir()}
	if to != nil {
		p.Read = append(p.Read, to.files()...)
	}
	_, err = privilege.Drop(p)
	return err
}

func (c *doctorCmd) target() (*publishTo, error) {
	return (&publishing{Kafka: c.Kafka, PublishConfig: c.PublishConfig}).target()
}

// minMeasured is the number of frames that a measurement needs, so that one-time work does not distort it.
const minMeasured = 20000

// measure runs the whole sensor, with its defaults and no output, on the frames in sample, and returns how fast it was.
func measure(sample *doctor.Sample, version string) (*doctor.Capacity, error) {
	n := sample.Stats().Frames
	if n < minMeasured {
		return nil, nil
	}
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Version: version, Replay: true}, sample, pipeline.Output{})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := r.Run(context.Background()); err != nil {
		return nil, err
	}
	wall := time.Since(began).Seconds()
	return &doctor.Capacity{Frames: n, Seconds: wall, Processors: runtime.GOMAXPROCS(0),
		FramesPerSecond: float64(n) / wall}, nil
}

// askKafka checks the brokers, if the flags name any.
func (c *doctorCmd) askKafka(ctx context.Context, r *doctor.Report) error {
	to, err := c.target()
	if to == nil || err != nil {
		return err
	}
	k, err := to.kafka()
	if err != nil {
		return err
	}
	topics := []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.StatusTopic}
	if !to.NoEvidence {
		topics = append(topics, schemas.EvidenceTopic)
	}
	if to.Sessions {
		topics = append(topics, schemas.SessionTopic)
	}
	if r.Published, err = doctor.LookAtKafka(ctx, k, topics); err != nil {
		return err
	}
	r.Findings = append(r.Findings, doctor.Kafka(r.Published)...)
	return nil
}

// print writes the report.
func (c *doctorCmd) print(t *terminal.Terminal, r *doctor.Report) error {
	if c.JSON {
		e := json.NewEncoder(t.Out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	const check, level = 15, 9 // columns
	room := max(t.Width-check-level, 20)
	var b strings.Builder
	fmt.Fprintln(&b, t.Paint(terminal.Pad("CHECK", check)+terminal.Pad("RESULT", level)+"FOUND", terminal.Bold))
	for _, f := range r.Findings {
		head := terminal.Pad(f.Check, check) + t.Paint(terminal.Pad(string(f.Level), level), levelStyle(f.Level))
		for _, line := range terminal.Wrap(terminal.Clean(f.Found), room) {
			fmt.Fprintln(&b, head+line)
			head = terminal.Pad("", check+level)
		}
		if f.Fix == "" {
			continue
		}
		mark := terminal.Pad("", check) + t.Paint(terminal.Pad("fix", level), terminal.Bold)
		for _, line := range terminal.Wrap(terminal.Clean(f.Fix), room) {
			fmt.Fprintln(&b, mark+line)
			mark = terminal.Pad("", check+level)
		}
	}
	_, err := t.Out.WriteString(b.String())
	return err
}

func levelStyle(l doctor.Level) terminal.Style {
	switch l {
	case doctor.Problem:
		return terminal.High
	case doctor.Warning:
		return terminal.Medium
	case doctor.Note:
		return terminal.Low
	}
	return terminal.Faint
}

func doctorStatus(worst doctor.Level) error {
	switch worst {
	case doctor.Warning:
		return &exitError{status: exitWarning}
	case doctor.Problem:
		return &exitError{status: exitProblem}
	}
	return nil
}
