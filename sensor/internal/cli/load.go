// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"stillwatch/sensor/internal/assets"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/fingerprint/recog"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/pipeline"
)

// load reads the files that the command line names, so that every mistake is reported before a packet is read.
func (c *settings) load(version string) (pipeline.Config, error) {
	cfg := pipeline.Config{Shards: c.Shards, Version: version, Replay: true}
	set, inv, setErr, invErr := documents(c.Config, c.Inventory)
	silent, silentMACs, err := config.ParseSilent(c.Silent)
	internal, internalErr := config.ParseInternal(c.Internal)
	external, externalErr := databases(set, c.Config)
	if err := errors.Join(setErr, invErr, err, internalErr, externalErr); err != nil {
		return cfg, err
	}
	if cfg.Assets, err = assets.Load(beside(c.Config, set.Assets)); err != nil {
		return cfg, fmt.Errorf("assets: %w", err)
	}
	if cfg.Intel, err = intel.Load(beside(c.Config, set.Intel)); err != nil {
		return cfg, fmt.Errorf("intel: %w", err)
	}
	if cfg.Rules, err = config.LoadRules(beside(c.Config, set.Rules)); err != nil {
		return cfg, err
	}
	cfg.External = external
	set.Internal = internal
	set.Silent, set.SilentMACs = append(set.Silent, silent...), append(set.SilentMACs, silentMACs...)
	cfg.Settings, cfg.Inventory = set, inv
	return cfg, nil
}

// documents reads configuration and inventory; an empty name means none. The configuration may name an inventory, relative to its own
// folder. An inventory on the command line takes precedence.
func documents(configFile, inventoryFile string) (set *config.Config, inv *contract.Inventory, setErr, invErr error) {
	set = config.Defaults()
	if configFile != "" {
		set, setErr = readConfig(configFile)
	}
	if set != nil {
		inventoryFile = inventoryOf(set, configFile, inventoryFile)
	}
	if inventoryFile != "" {
		inv, invErr = config.LoadInventory(inventoryFile)
	}
	return set, inv, setErr, invErr
}

// inventoryOf returns the file of the active inventory, "" if there is none.
func inventoryOf(set *config.Config, configFile, inventoryFile string) string {
	if inventoryFile != "" {
		return inventoryFile
	}
	return beside(configFile, set.Inventory)
}

// beside returns a path that a configuration names, which is relative to its own folder; "" if it names none.
func beside(configFile, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(configFile), path)
}

// databases reads the databases of fingerprints that a configuration names; set may be nil.
func databases(set *config.Config, configFile string) (x device.External, err error) {
	if set == nil {
		return x, nil
	}
	var p0fErr, recogErr error
	if f := beside(configFile, set.Fingerprints.P0f); f != "" {
		x.P0f, p0fErr = fingerprint.LoadP0f(f)
	}
	if dir := beside(configFile, set.Fingerprints.Recog); dir != "" {
		x.Recog, recogErr = recog.Load(dir)
	}
	return x, errors.Join(p0fErr, recogErr)
}

// readConfig reads a configuration and checks it with the detectors.
func readConfig(file string) (*config.Config, error) {
	set, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if unknown := set.Unknown(rules()); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: detections: %s: unknown rule; the rules are %s", file, strings.Join(unknown, ", "), strings.Join(rules(), " "))
	}
	if _, err := detect.New(detect.Config{Enabled: set.Enabled, Params: set.Params}); err != nil {
		return nil, err
	}
	return set, nil
}

// rules returns the ids of all rules, sorted.
func rules() []string {
	var all []string
	for _, r := range detect.Rules() {
		all = append(all, r.ID)
	}
	return all
}

// shardCount parses the value of --shards. kong would take a negative number for an unknown flag and report that.
func shardCount(ctx *kong.DecodeContext, target reflect.Value) error {
	t := ctx.Scan.Pop()
	text := fmt.Sprint(t.Value)
	if t.IsEOL() {
		return fmt.Errorf("give a number from 0 to %d", pipeline.Partitions)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > pipeline.Partitions {
		return fmt.Errorf("give a number from 0 to %d, not %q", pipeline.Partitions, text)
	}
	target.SetInt(int64(n))
	return nil
}
