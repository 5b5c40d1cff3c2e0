// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/alecthomas/kong"

// commandLine has the commands and the flags of all of them.
type commandLine struct {
	Run        runCmd        `cmd:"" help:"Capture at a mirror port and report alerts, sessions and devices."`
	Replay     replayCmd     `cmd:"" help:"Read captures and report alerts, sessions and devices."`
	Extract    extractCmd    `cmd:"" help:"Copy the packets of an alert, a session or a device from captures to a new one."`
	Devices    devicesCmd    `cmd:"" help:"List the devices in captures: what each one is, and which sessions it may open."`
	Report     reportCmd     `cmd:"" help:"Report what to check and decide about devices that should open little, from captures (for a case report see replay)."`
	Verify     verifyCmd     `cmd:"" help:"Check a case report of replay, and captures against it."`
	Doctor     doctorCmd     `cmd:"" help:"Check a mirror port or captures, and whether Kafka accepts records."`
	Inventory  inventoryCmd  `cmd:"" help:"Suggest an inventory from captures; import and export it as CSV."`
	Contract   contractCmd   `cmd:"" help:"Show and change the contracts that a sensor has learned, in its state file."`
	Policy     policyCmd     `cmd:"" help:"Make keys, and sign, check and list the policies of analysts."`
	Rule       ruleCmd       `cmd:"" help:"Check custom rules, test them with captures, and import Sigma rules."`
	Config     configCmd     `cmd:"" help:"Check the inventory and the configuration."`
	Assets     assetsCmd     `cmd:"" help:"Show and update the data files: vendors, countries, releases, exploited vulnerabilities."`
	Version    versionCmd    `cmd:"" help:"Print the version of the program."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`

	LogLevel string `help:"Lowest level that is logged to standard error: debug, info (the default), warn or error." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
	NoColor  bool   `help:"Print without colors. The environment variable NO_COLOR does the same."`

	args []string // as given, for the case report
}

func options() []kong.Option {
	return []kong.Option{
		kong.Name(program),
		kong.NamedMapper("shards", kong.MapperFunc(shardCount)),
		kong.Description("A passive network sensor. It raises an alert when a device that should be silent opens a session, and detects intrusions and how they spread.\n\n" +
			"It captures at a mirror port or reads capture files, and sends nothing. It writes JSON Lines, or text on a terminal.\n\n" +
			"Examples:\n\n" +
			"    stillwatch-sensor run --iface span0 --inventory site.yaml\n" +
			"    stillwatch-sensor replay --silent 10.20.10.0/24 span.pcap\n" +
			"    stillwatch-sensor devices office.pcapng.zst\n" +
			"    stillwatch-sensor inventory suggest -o site.yaml office.pcapng.zst\n" +
			"    stillwatch-sensor config check --inventory site.yaml"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// settings are the flags that describe the network and the sensor.
type settings struct {
	Inventory string   `help:"Inventory (YAML): the devices of the network, and the sessions that each may open." placeholder:"FILE" type:"path"`
	Silent    []string `help:"Expect the devices with this network, address or MAC to open no sessions. Can be repeated." placeholder:"CIDR|MAC" sep:"none"`
	Internal  []string `help:"Internal network. Replaces the internal networks of the inventory and the default, the private address ranges. Can be repeated." placeholder:"CIDR" sep:"none"`
	Config    string   `help:"Configuration of the sensor (YAML)." placeholder:"FILE" type:"path"`
	Shards    int      `help:"Goroutines that track sessions, up to 16; 0: choose by the number of processors. The results do not depend on it." default:"0" placeholder:"N" type:"shards"`
}

// captures are the arguments of the commands that read captures.
type captures struct {
	settings
	Captures []string `arg:"" name:"capture" help:"Capture (pcap, pcapng or snoop, also compressed or in a zip archive), folder of captures, or pattern in quotes; - is standard input."`
}
