// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// story is a capture with its inventory.
type story struct{ name, capture, inventory string }

// find returns the stories in dir, sorted by name.
func find(dir string) ([]story, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	captures, err := filepath.Glob(filepath.Join(dir, "*", "input.pcap"))
	if err != nil || len(captures) == 0 {
		return nil, fmt.Errorf("no story in %s: a story is a folder with input.pcap and inventory.yaml", dir)
	}
	slices.Sort(captures)
	var all []story
	for _, c := range captures {
		all = append(all, story{filepath.Base(filepath.Dir(c)), c, filepath.Join(filepath.Dir(c), "inventory.yaml")})
	}
	return all, nil
}

// raised is the last revision of an alert of the sensor.
type raised struct {
	schemas.Alert
	story string
}

// replay runs the sensor on a story and returns its alerts, which the sensor writes to a file as well as to the broker.
func replay(ctx context.Context, sensor string, s story, dir, broker string) ([]raised, error) {
	out := filepath.Join(dir, s.name+".jsonl")
	sensor, err := exec.LookPath(sensor)
	if err == nil {
		sensor, err = filepath.Abs(sensor)
	}
	if err != nil {
		return nil, fmt.Errorf("sensor: %w", err)
	}
	cmd := exec.CommandContext(ctx, sensor, "replay", "--kafka", broker, "--spool", filepath.Join(dir, "spool"), "--inventory", s.inventory, "--alerts", out, s.capture)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("sensor on story %s: %w\n    %s", s.name, err, strings.TrimSpace(stderr.String()))
	}
	return read(out, s.name)
}

// read returns the last revision of each alert, in the order of the first ones.
func read(path, story string) ([]raised, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var all []raised
	at := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var a schemas.Alert
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if i, ok := at[a.ID]; !ok {
			at[a.ID] = len(all)
			all = append(all, raised{a, story})
		} else if a.Revision > all[i].Revision {
			all[i].Alert = a
		}
	}
	return all, lines.Err()
}
