// SPDX-License-Identifier: Apache-2.0

package cli

import "github.com/alecthomas/kong"

// commandLine has the commands and the flags of all of them.
type commandLine struct {
	Run        runCmd        `cmd:"" help:"Listen at a mirror port and report alerts, sessions and devices."`
	Replay     replayCmd     `cmd:"" help:"Read captures and report alerts, sessions and devices."`
	Devices    devicesCmd    `cmd:"" help:"List the devices of captures: what they are, and what is expected of them."`
	Doctor     doctorCmd     `cmd:"" help:"Find out what is wrong with a mirror port, and whether Kafka takes records."`
	Config     configCmd     `cmd:"" help:"Work with the inventory and the configuration."`
	Version    versionCmd    `cmd:"" help:"Print the version of the program."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`

	LogLevel string `help:"Least level of the log on standard error: ${enum}." enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL"`
	NoColor  bool   `help:"Print without colours, as with the environment variable NO_COLOR."`
}

func options() []kong.Option {
	return []kong.Option{
		kong.Name(program),
		kong.NamedMapper("shards", kong.MapperFunc(shardCount)),
		kong.Description("A passive sensor that tells when a device that ought to be silent speaks, to whom, and what it means.\n\n" +
			"It listens at a mirror port or reads captures, sends nothing, and writes JSON Lines or, on a terminal, what a person can read.\n\n" +
			"Examples:\n\n" +
			"    stillwatch-sensor run --iface span0 --inventory site.yaml\n" +
			"    stillwatch-sensor replay --silent 10.20.10.0/24 span.pcap\n" +
			"    stillwatch-sensor devices office.pcapng.zst\n" +
			"    stillwatch-sensor config check --inventory site.yaml"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// settings are what a run is told of the network and of itself.
type settings struct {
	Inventory string   `help:"Inventory of the network (YAML): what each device is and what it may do." placeholder:"FILE" type:"path"`
	Silent    []string `help:"Expect silence of this network, address or MAC. May be given more than once." placeholder:"CIDR|MAC" sep:"none"`
	Internal  []string `help:"Take this network for the watched one, in place of the private ranges and of what the inventory says. May be given more than once." placeholder:"CIDR" sep:"none"`
	Config    string   `help:"Configuration of the sensor (YAML)." placeholder:"FILE" type:"path"`
	Shards    int      `help:"Goroutines that keep sessions; the result is the same with any number. 0: by the processors." default:"0" placeholder:"N" type:"shards"`
}

// captures are what replay and devices read.
type captures struct {
	settings
	Captures []string `arg:"" name:"capture" help:"pcap or pcapng file, plain, gzip or zstd; - is standard input."`
}
