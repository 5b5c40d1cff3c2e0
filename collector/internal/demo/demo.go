// SPDX-License-Identifier: Apache-2.0

// Package demo runs the demo: it starts a collector with the embedded broker in a temporary folder, replays the story captures with
// the sensor, and prints the alerts and the address of the console.
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

// Options configure the demo.
type Options struct {
	Sensor  string    // path of stillwatch-sensor
	Stories string    // folder with one folder per story: input.pcap, inventory.yaml
	Once    bool      // exit when the API returns every alert
	Listen  string    // address of the console, on the loopback interface; "": any free port
	Out     io.Writer // for the progress and the table
	Version string
	Log     *zap.Logger
	// Timeout is how long alerts may take from the end of the replays to the API; 0: 45 s.
	Timeout time.Duration
}

const (
	user     = "analyst"
	linkLife = 12 * time.Hour
	timeout  = 45 * time.Second
)

// Run runs the demo until ctx is done, or with Once until the API returns every alert. It returns an error if alerts are missing.
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
	err = replayAll(ctx, o, s, dir)
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

// replayAll replays the stories, waits for their alerts and prints them.
func replayAll(ctx context.Context, o Options, s *serve.Server, dir string) error {
	stories, err := find(o.Stories)
	if err != nil {
		return err
	}
	token, link, err := addUser(ctx, s.Auth())
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
	if o.Timeout == 0 {
		o.Timeout = timeout
	}
	waiting, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	missing := wait(waiting, s.URL(), token, raised)
	if err := table(o.Out, raised); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the API does not return %d of %d alerts; the first is %s", len(missing), len(raised), missing[0].ID)
	}
	fmt.Fprintf(o.Out, "\n%d alerts raised, stored and returned by the API.\n", len(raised))
	if !o.Once {
		fmt.Fprintf(o.Out, "\nConsole:             %s\nSign in (one-time):  %s/signin/link?code=%s\n\nPress Ctrl-C to stop the demo and delete its data.\n", s.URL(), s.URL(), link)
	}
	return nil
}

// addUser creates a user with a sign-in link, and a token for the API.
func addUser(ctx context.Context, a *auth.Auth) (token, link string, err error) {
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
