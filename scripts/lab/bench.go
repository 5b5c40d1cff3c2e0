// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/loadgen"
	"stillwatch/internal/testlab/netns"
)

type benchCmd struct {
	Trace  string        `help:"Capture whose frames are sent (scripts/tracegen)." required:"" type:"existingfile"`
	Rates  []int         `help:"Packets per second." default:"100000,400000,800000"`
	Span   time.Duration `name:"seconds" help:"Duration of each measurement." default:"10s"`
	Sensor string        `help:"Program of the sensor." default:"bin/stillwatch-sensor" type:"existingfile"`
	Modes  []string      `help:"Modes of the sensor." default:"xdp,afpacket"`
	Silent string        `help:"Network that the sensor expects to be silent: the cameras of the trace." default:"10.1.9.0/24"`
	Args   []string      `arg:"" optional:"" help:"Further arguments of the sensor, after --."`
}

// Run measures all programs and prints a Markdown table.
func (c *benchCmd) Run(ctx context.Context) error {
	if err := netns.Needs(); err != nil {
		return err
	}
	t, err := loadgen.Open(c.Trace)
	if err != nil {
		return err
	}
	programs := c.programs()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return errors.Join(err, t.Close())
	}
	fmt.Printf("%d processors, of which the sender takes one; Linux %s; frames of %d bytes in the mean; %s a cell\n\n",
		runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), t.Bytes/int64(len(t.Frames)), c.Span)
	fmt.Println("| offered, packets/s | reached | program | processor s of the program | of the kernel on its behalf | lost |\n|---|---|---|---|---|---|")
	for _, rate := range c.Rates {
		base, err := loadgen.Measure(ctx, loadgen.Program{}, t, rate, c.Span)
		if err != nil {
			return errors.Join(err, t.Close())
		}
		row(rate, "no receiver", base, "–", "–", "–")
		for _, p := range programs {
			x, err := loadgen.Measure(ctx, p, t, rate, c.Span)
			if err != nil {
				return errors.Join(err, t.Close())
			}
			kernel := x.InSend + x.Soft - base.InSend - base.Soft
			row(rate, p.Name, x, seconds(x.Program), seconds(max(kernel, 0)), fmt.Sprintf("%.3f %%", 100*x.Lost()))
		}
	}
	return t.Close()
}

func row(rate int, name string, c loadgen.Cost, cells ...any) {
	fmt.Printf("| %d | %.0f | %s | %s | %s | %s |\n", append([]any{rate, float64(c.Packets) / c.Wall.Seconds(), name}, cells...)...)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// programs returns the programs to compare. It prints a note for each that is not installed.
func (c *benchCmd) programs() (list []loadgen.Program) {
	for _, mode := range c.Modes {
		command := []string{c.Sensor, "run", "--iface", netns.SensorPort, "--mode", mode, "--silent", c.Silent, "--alerts", "/dev/null"}
		list = append(list, loadgen.Program{Name: "stillwatch-sensor, " + mode, Command: append(command, c.Args...),
			Ready: "listening at the port", Taken: loadgen.Sensor})
	}
	others := []loadgen.Program{
		{Name: "tcpdump", Command: []string{"tcpdump", "-Z", "root", "-ni", netns.SensorPort, "-w", "/dev/null"},
			Ready: "listening on", Taken: loadgen.Group(`(\d+) packets? captured`)},
		{Name: "dumpcap", Command: []string{"dumpcap", "-q", "-i", netns.SensorPort, "-w", "/dev/null"},
			Ready: "File: ", Taken: loadgen.Group(`Packets captured: (\d+)`)},
	}
	for _, p := range others {
		if _, err := exec.LookPath(p.Command[0]); err != nil {
			fmt.Printf("%s is not installed: skipped\n\n", p.Name)
			continue
		}
		list = append(list, p)
	}
	return list
}
