// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stillwatch/internal/testlab/netns"
	"stillwatch/schemas"
)

// listen is the address of the sensor's health endpoint, in its own namespace.
const listen = "127.0.0.1:9480"

// Sensor is a running sensor at the mirror port.
type Sensor struct {
	netns.Command
	lab    *Lab
	ended  chan struct{}
	err    error // how it ended
	stderr strings.Builder
}

// Watch starts `PROGRAM run` at the mirror port and returns when it is ready. alert is called for every alert that it writes.
func (l *Lab) Watch(ctx context.Context, program string, args []string, alert func(schemas.Alert)) (*Sensor, error) {
	all := append([]string{"run", "--iface", netns.SensorPort, "--listen", listen, "--alerts", "-"}, args...)
	w := &Sensor{Command: l.Command(context.Background(), netns.Sensor, program, all...), lab: l, ended: make(chan struct{})}
	w.Stderr = &w.stderr
	out, err := w.StdoutPipe()
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(w.ended)
		w.err = errors.Join(Alerts(out, alert), w.Wait())
	}()
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if _, err := w.Get("/readyz"); err == nil {
			return w, nil
		}
		select {
		case <-w.ended:
			return nil, fmt.Errorf("the sensor ended: %w: %s", w.err, strings.TrimSpace(w.stderr.String()))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), w.Stop())
		default:
		}
		if time.Now().After(limit) {
			return nil, errors.Join(errors.New("the sensor is not ready in time"), w.Stop())
		}
	}
}

// Get requests a path of the sensor's health endpoint and returns the body.
func (w *Sensor) Get(path string) (string, error) {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return w.lab.Dial(ctx, netns.Sensor, address)
	}}
	res, err := (&http.Client{Transport: t, Timeout: 5 * time.Second}).Get("http://" + listen + path)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return string(body), err
}

// Stop ends the sensor like a service manager, and returns an error if it did not exit cleanly.
func (w *Sensor) Stop() error {
	select {
	case <-w.ended:
		return fmt.Errorf("the sensor had ended: %w: %s", w.err, strings.TrimSpace(w.stderr.String()))
	default:
	}
	if err := w.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-w.ended:
	case <-time.After(patience):
		return errors.Join(errors.New("the sensor did not exit in time"), w.Process.Kill())
	}
	const interrupted = 128 + 2
	if code := w.ProcessState.ExitCode(); code != 0 && code != interrupted {
		return fmt.Errorf("the sensor ended with %d: %s", code, strings.TrimSpace(w.stderr.String()))
	}
	return nil
}

// Log returns the sensor's standard error. Call it after the sensor has ended.
func (w *Sensor) Log() string { return w.stderr.String() }

// Alerts reads alerts, one JSON object a line, until the stream ends.
func Alerts(r io.Reader, f func(schemas.Alert)) error {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var a schemas.Alert
			if err := json.Unmarshal(line, &a); err != nil {
				return fmt.Errorf("%w: %.80s", err, line)
			}
			f(a)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// SensorID is the id of the sensor in alerts.
const SensorID = "lab"

// Files writes the inventory of the office and the configuration of the sensor into a directory. The configuration shortens the window
// of D41 from five minutes to the length of a lab run.
func Files(dir, sensor string) (inventory, config string, err error) {
	var b strings.Builder
	b.WriteString("version: 1\nnetworks:\n  internal: [10.20.0.0/16]\nzones:\n  cameras: [10.20.30.8/29]\ninfrastructure:\n  dns: [" + netns.Address(netns.DNS).String() + "]\ndevices:\n")
	for _, m := range netns.Machines() {
		switch m.Name {
		case netns.Router, netns.Operator:
			continue
		}
		fmt.Fprintf(&b, "  - name: %s\n    match: {mac: %q}\n%s", m.Name, m.MAC, contract(m.Name))
	}
	inventory, config = filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "sensor.yaml")
	return inventory, config, errors.Join(
		os.WriteFile(inventory, []byte(b.String()), 0o600),
		os.WriteFile(config, []byte("version: 1\nsensor: {id: "+sensor+", site: lab}\ndetections:\n  D41: {params: {window_seconds: 20}}\n"), 0o600),
	)
}

// contract returns the inventory entry that describes what a machine may do.
func contract(name string) string {
	switch name {
	case netns.Legacy:
		return "    expect: silent\n    owner: infrastructure team\n    criticality: high\n"
	case netns.Recorder:
		return "    expect: allowlist\n    owner: security desk\n    criticality: high\n    allow:\n      - {direction: out, peer: \"zone:cameras\", proto: tcp, port: 554}\n" +
			fmt.Sprintf("      - {direction: in, peer: %s, proto: tcp, port: 80}\n", netns.Address(netns.Operator))
	case netns.Camera1, netns.Camera2, netns.Camera3:
		return "    expect: server_only\n    owner: security desk\n    criticality: medium\n    allow:\n" +
			fmt.Sprintf("      - {direction: in, peer: %s, proto: tcp, port: 554}\n      - {direction: out, peer: %s, proto: udp}\n", netns.Address(netns.Recorder), netns.Address(netns.Recorder))
	}
	return "    expect: normal\n"
}
