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
	Iface         string   `help:"Interface to look at: the mirror port." placeholder:"IF"`
	Seconds       int      `help:"How long to look at the interface." default:"30" placeholder:"N"`
	JSON          bool     `name:"json" help:"Write one JSON document instead of a table."`
	Kafka         []string `help:"Ask these brokers, too, whether they would take records: host:port, separated by commas." placeholder:"BROKERS"`
	PublishConfig string   `help:"Ask Kafka as the publish section of FILE (YAML) says." placeholder:"FILE" type:"path"`
	Captures      []string `arg:"" optional:"" name:"capture" help:"Look at captures instead of an interface."`
}

// Help shows how the command is used.
func (doctorCmd) Help() string {
	return `It sends nothing at the interface and writes nothing to Kafka. To listen it needs the capability cap_net_raw, or root.

Examples:

    stillwatch-sensor doctor --iface span0
    stillwatch-sensor doctor --iface span0 --seconds 10 --publish-config sensor.yaml
    stillwatch-sensor doctor --json span.pcapng

Exit status, by the worst finding: 0 all is well; 3 there is a warning; 4 there is a problem with which the sensor cannot do its
work. 1 something could not be read or written; 2 bad usage, or an interface or a file that cannot be opened.`
}

// Validate implements kong.Validatable.
func (c *doctorCmd) Validate() error {
	kafka := c.PublishConfig != "" || len(c.Kafka) > 0
	switch {
	case c.Iface != "" && len(c.Captures) > 0:
		return errors.New("give --iface or captures, not both")
	case c.Iface == "" && len(c.Captures) == 0 && !kafka:
		return errors.New("nothing to look at: give --iface IF, a capture, or --kafka BROKERS")
	case c.Seconds < 1 || c.Seconds > 3600:
		return fmt.Errorf("--seconds: give a number from 1 to 3600, not %d", c.Seconds)
	}
	return nil
}

// Run looks and tells.
func (c *doctorCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	s := watchSignals(context.Background())
	defer s.stop()
	r := &doctor.Report{Version: 1, Source: "kafka", Findings: []doctor.Finding{}}
	if c.Iface != "" || len(c.Captures) > 0 {
		if err := c.look(t, s, r, b.Version); err != nil {
			return err
		}
	}
	if err := c.askKafka(s.ctx, r); err != nil {
		return badUsage(err)
	}
	r.Worst = doctor.Worst(r.Findings)
	if err := c.tell(t, r); err != nil {
		return err
	}
	return doctorStatus(r.Worst)
}

// look watches the frames, then tries what the sensor can do with them.
func (c *doctorCmd) look(t *terminal.Terminal, s *interrupt, r *doctor.Report, version string) error {
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
			fmt.Fprintf(t.Err, "looking at %s for %d s; Ctrl-C ends it early\n", port.Name, c.Seconds)
		}
	} else {
		r.Source = strings.Join(c.Captures, " ")
	}
	defer context.AfterFunc(s.ctx, func() { _ = src.Close() })() // a read from a pipe may wait for ever
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
		r.Findings = append(r.Findings, doctor.Finding{Check: doctor.CheckFrames, Level: doctor.Warning, Found: d.String(), Fix: "what comes after the damage was not looked at"})
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

// drop gives up all privileges, as a run does: what is looked at comes from strangers. What this kernel cannot do is left out.
func (c *doctorCmd) drop() error {
	to, err := c.target()
	if err != nil {
		return badUsage(err)
	}
	p := privilege.Config{Names: to != nil, Read: []string{c.PublishConfig}}
	if to != nil {
		p.Read = append(p.Read, to.files()...)
	}
	_, err = privilege.Drop(p)
	return err
}

func (c *doctorCmd) target() (*publishTo, error) {
	return (&publishing{Kafka: c.Kafka, PublishConfig: c.PublishConfig}).target()
}

// leastMeasured is how many frames a measurement takes, so that what is done once does not count for much.
const leastMeasured = 20000

// measure gives the frames that were kept to the whole sensor, with its defaults and no output, as fast as it takes them.
func measure(sample *doctor.Sample, version string) (*doctor.Capacity, error) {
	n := sample.Stats().Frames
	if n < leastMeasured {
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

// askKafka asks the brokers, if there are some to ask.
func (c *doctorCmd) askKafka(ctx context.Context, r *doctor.Report) error {
	to, err := c.target()
	if to == nil || err != nil {
		return err
	}
	k, err := to.kafka()
	if err != nil {
		return err
	}
	topics := []string{schemas.AlertTopic, schemas.DeviceTopic}
	if to.Sessions {
		topics = append(topics, schemas.SessionTopic)
	}
	if r.Published, err = doctor.LookAtKafka(ctx, k, topics); err != nil {
		return err
	}
	r.Findings = append(r.Findings, doctor.Kafka(r.Published)...)
	return nil
}

// tell writes the report.
func (c *doctorCmd) tell(t *terminal.Terminal, r *doctor.Report) error {
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
		mark := terminal.Pad("", check) + t.Paint(terminal.Pad("do", level), terminal.Bold)
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
