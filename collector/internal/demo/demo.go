// SPDX-License-Identifier: Apache-2.0

// Package demo shows everything at once on one machine: it starts a collector with the embedded broker in a temporary
// folder, lets the sensor replay the story captures into it, and tells what was raised and where it can be read.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/serve"
)

// Options say what is shown.
type Options struct {
	Sensor  string    // path of stillwatch-sensor
	Stories string    // folder with a folder for each story: input.pcap, inventory.yaml
	Once    bool      // end when every alert is shown by the API
	Listen  string    // of the console, on the loopback interface; "" for a free port
	Out     io.Writer // for the table
	Version string
	Log     *zap.Logger
	// Patience is how long the last alert may take from the end of the replays to the API; 0: 45 s.
	Patience time.Duration
}

const (
	user     = "analyst"
	linkLife = 12 * time.Hour
	patience = 45 * time.Second
)

// Run shows the demonstration until ctx is done, or until every alert is shown when Once is set. The error tells what did
// not work, or which alerts are missing.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "stillwatch-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := serve.New(ctx, settings(dir, o.Listen), o.Version, o.Log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(serving) }()
	err = show(ctx, o, s, dir)
	if err == nil && !o.Once {
		select {
		case <-ctx.Done():
		case err := <-ended:
			stop()
			return err
		}
	}
	stop()
	return errors.Join(err, <-ended)
}

func settings(dir, listen string) config.Config {
	c := config.Default()
	c.Listen, c.Health, c.LogLevel = "127.0.0.1:0", "", "warn"
	if listen != "" {
		c.Listen = listen
	}
	c.Database = filepath.Join(dir, "collector.db")
	c.Broker = &config.Broker{Dir: filepath.Join(dir, "broker")}
	return c
}

// show replays the stories, waits for their alerts and prints them.
func show(ctx context.Context, o Options, s *serve.Server, dir string) error {
	stories, err := find(o.Stories)
	if err != nil {
		return err
	}
	token, link, err := letIn(ctx, s.Auth())
	if err != nil {
		return err
	}
	var raised []raised
	for _, story := range stories {
		fmt.Fprintf(o.Out, "replay %s\n", story.name)
		alerts, err := replay(ctx, o.Sensor, story, dir, s.Brokers()[0])
		if err != nil {
			return err
		}
		raised = append(raised, alerts...)
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	waiting, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	missing := wait(waiting, s.URL(), token, raised)
	if err := table(o.Out, raised); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d alerts are not shown by the API, the first is %s", len(missing), len(raised), missing[0].ID)
	}
	fmt.Fprintf(o.Out, "\n%d alerts are raised, stored, and shown by the API.\n", len(raised))
	if !o.Once {
		fmt.Fprintf(o.Out, "\nConsole:        %s\nSign in, once:  %s/signin/link?code=%s\n\nCtrl-C ends it and removes everything.\n", s.URL(), s.URL(), link)
	}
	return nil
}

// letIn makes a user who can sign in by a link alone, and a token to ask the API with.
func letIn(ctx context.Context, a *auth.Auth) (token, link string, err error) {
	u, err := a.AddUser(ctx, "demo", user, "", auth.Admin)
	if err != nil {
		return "", "", err
	}
	if token, _, err = a.NewToken(ctx, "demo", u.ID, "demo", auth.Viewer, time.Now().Add(linkLife)); err != nil {
		return "", "", err
	}
	link, err = a.NewLink(ctx, "demo", user, linkLife)
	return token, link, err
}
