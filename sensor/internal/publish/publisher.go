// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stillwatch/internal/panics"
	"stillwatch/schemas"
)

// PublisherConfig configures a Publisher.
type PublisherConfig struct {
	Dir    string // of the spool
	Spool  SpoolOptions
	Kafka  KafkaConfig
	Sensor schemas.AlertSensor // for alerts that the publisher raises itself; ID must be set
	Report func(error)         // see NewDrain
}

// Publisher stores records in a spool and delivers them to Kafka. Alert, Incident, Device, Evidence and Session must not be called concurrently.
type Publisher struct {
	spool     *Spool
	drain     *Drain
	sequencer *Sequencer
	env       envelope
	fullMu    sync.Mutex
	full      fullAlert
	syncs     *syncTimes
	cancel    context.CancelFunc
	done      chan struct{}
}

// NewPublisher opens the spool and starts to drain it. sequencer is the one that stamps the alerts passed to Alert.
func NewPublisher(cfg PublisherConfig, sequencer *Sequencer) (*Publisher, error) {
	syncs := newSyncTimes()
	cfg.Spool.Synced = syncs.observe
	spool, err := OpenSpool(cfg.Dir, cfg.Spool)
	if err != nil {
		return nil, err
	}
	drain, err := NewDrain(spool, cfg.Kafka, cfg.Report)
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Publisher{spool: spool, drain: drain, sequencer: sequencer, env: newEnvelope(cfg.Sensor.ID, sequencer.boot, sequencer.replay),
		full: fullAlert{sensor: cfg.Sensor}, syncs: syncs, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		var w sync.WaitGroup
		w.Go(func() {
			err := panics.ToError("watch over the spool", func() error {
				p.watchDropped(ctx)
				return nil
			})
			if err != nil {
				drain.onError(err)
			}
		})
		drain.Run(ctx)
		w.Wait()
	}()
	return p, nil
}

// Alert stores a stamped alert. An error means that it is not stored: the spool is full (see SpoolOptions.Patience) or closed.
func (p *Publisher) Alert(a *schemas.Alert) error {
	if err := p.put(a); err != nil {
		return err
	}
	return p.reportDropped()
}

func (p *Publisher) put(a *schemas.Alert) error {
	value, err := schemas.AppendAlert(nil, a)
	if err != nil {
		return err
	}
	return p.append(p.env.alert(a, value))
}

// Device stores a device record.
func (p *Publisher) Device(d *schemas.Device) error {
	value, err := schemas.AppendDevice(nil, d)
	if err != nil {
		return err
	}
	return p.append(p.env.device(d, value))
}

// Incident stores a stamped revision of an incident.
func (p *Publisher) Incident(i *schemas.Incident) error {
	value, err := schemas.AppendIncident(nil, i)
	if err != nil {
		return err
	}
	return p.append(p.env.incident(i, value))
}

// Evidence stores the packets of an alert.
func (p *Publisher) Evidence(e *schemas.Evidence) error {
	value, err := schemas.AppendEvidence(nil, e)
	if err != nil {
		return err
	}
	return p.append(p.env.evidence(e, value))
}

// Session stores a session record.
func (p *Publisher) Session(s *schemas.Session) error {
	return p.append(p.env.session(s, schemas.AppendSession(nil, s)))
}

// Status stores the status of the sensor, unless the delivery is behind: then a later one replaces it. It may be called concurrently with the others.
func (p *Publisher) Status(s *schemas.Status) error {
	if behind(p.spool.Stats().OldestAt, time.Now()) {
		return nil
	}
	value, err := schemas.AppendStatus(nil, s)
	if err != nil {
		return err
	}
	return p.append(p.env.status(s, value))
}

// staleStatus is the age of the oldest record in the spool from which on no status is stored.
const staleStatus = 20 * time.Second

// behind reports whether the oldest record of a spool, appended at a time in nanoseconds, waits for too long for a status to be of use.
func behind(oldest int64, now time.Time) bool {
	return oldest != 0 && now.Sub(time.Unix(0, oldest)) > staleStatus
}

// append stores a record. A record that does not fit the format of the spool goes to the dead-letter file.
func (p *Publisher) append(r Record) error {
	_, err := p.spool.Append(r)
	if errors.Is(err, errRecord) {
		return p.drain.reject(&r, CauseTooLarge, err.Error())
	}
	return err
}

// reportDropped raises an alert about records that the spool has dropped.
func (p *Publisher) reportDropped() error {
	p.fullMu.Lock()
	defer p.fullMu.Unlock()
	a := p.full.next(p.spool.Stats().DroppedTotal(), time.Now())
	if a == nil {
		return nil
	}
	p.sequencer.Stamp(a)
	return p.put(a)
}

// watchDropped reports dropped records even when no other alert is raised.
func (p *Publisher) watchDropped(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = p.reportDropped() // the counters have it; the spool is closed, or its fault is reported elsewhere
		}
	}
}

// Wait waits until all records are delivered. It returns an error if nothing is delivered for the duration of patience, or when ctx ends; the
// error has the number of remaining records and the fault.
func (p *Publisher) Wait(ctx context.Context, patience time.Duration) error {
	last, since := p.spool.Stats().Acked, time.Now()
	for {
		s := p.spool.Stats()
		if s.Records == 0 {
			return nil
		}
		if s.Acked != last {
			last, since = s.Acked, time.Now()
		}
		if ctx.Err() != nil || time.Since(since) > patience {
			return p.undelivered(s)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *Publisher) undelivered(s SpoolStats) error {
	why := p.drain.Stats().Fault
	if why == nil {
		why = errors.New("the broker has not answered yet")
	}
	err := fmt.Errorf("%d records are not delivered and stay in the spool %s: %w", s.Records, p.spool.dir, why)
	if s.Fault != nil {
		err = errors.Join(err, s.Fault)
	}
	return err
}

// Close stops the drain and writes buffered records to the spool. Records that are not delivered stay in the spool.
func (p *Publisher) Close() error {
	p.cancel()
	<-p.done
	return p.spool.Close()
}

// Sync waits until every record that was passed in is on disk or delivered. While the disk cannot be written it returns that fault.
func (p *Publisher) Sync() error { return p.spool.Sync() }

// Spool returns the counters of the spool.
func (p *Publisher) Spool() SpoolStats { return p.spool.Stats() }

// Drain returns the counters of the drain.
func (p *Publisher) Drain() DrainStats { return p.drain.Stats() }

// Ready returns the reasons why records cannot be delivered now, none if they can.
func (p *Publisher) Ready() (reasons []string) {
	if err := p.spool.Stats().Fault; err != nil {
		reasons = append(reasons, err.Error())
	}
	if err := p.drain.Stats().Fault; err != nil {
		reasons = append(reasons, err.Error())
	}
	return reasons
}
