// SPDX-License-Identifier: Apache-2.0

// Command kafka runs Apache Kafka on loopback, for tests and trials:
//
//	go run ./scripts/kafka start [-brokers 3] DIR    create the cluster in DIR if necessary, start all brokers
//	go run ./scripts/kafka stop DIR [BROKER]         shut down; data and ports are kept
//	go run ./scripts/kafka kill DIR [BROKER]         SIGKILL
//	go run ./scripts/kafka status DIR                which brokers run, and their addresses
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"stillwatch/internal/testlab/cluster"
)

const usage = "usage: kafka start [-brokers N] [-fast] DIR | stop DIR [BROKER] | kill DIR [BROKER] | status DIR"

// startTime limits a start, including the first download of Kafka.
const startTime = 5 * time.Minute

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if args[0] == "start" {
		return start(ctx, args[1:])
	}
	c, err := cluster.Open(ctx, args[1])
	if err != nil {
		return err
	}
	var node *cluster.Node
	if len(args) > 2 {
		i, err := strconv.Atoi(args[2])
		if err != nil || i < 1 || i > len(c.Nodes) {
			return fmt.Errorf("%s: there are the brokers 1 to %d", args[2], len(c.Nodes))
		}
		node = c.Nodes[i-1]
	}
	switch {
	case args[0] == "stop" && node != nil:
		return node.Stop()
	case args[0] == "stop":
		return c.Stop()
	case args[0] == "kill" && node != nil:
		return node.Kill()
	case args[0] == "kill":
		return c.Kill()
	case args[0] == "status":
		return status(c)
	}
	return errors.New(usage)
}

func start(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("kafka start", flag.ContinueOnError)
	brokers := flags.Int("brokers", 1, "brokers of a new cluster")
	fast := flags.Bool("fast", false, "let the JVM compile for speed (benchmarks)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New(usage)
	}
	dir := flags.Arg(0)
	c, err := cluster.Open(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = cluster.Create(ctx, dir, cluster.Options{Brokers: *brokers, Fast: *fast})
	}
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	return status(c)
}

func status(c *cluster.Cluster) error {
	for _, n := range c.Nodes {
		state := "stopped"
		if pid := n.PID(); pid != 0 {
			state = fmt.Sprintf("running, process %d", pid)
		}
		fmt.Printf("broker %d: %s, log %s\n", n.ID, state, filepath.Join(c.Dir, fmt.Sprintf("node%d", n.ID), "log"))
	}
	for _, l := range []string{cluster.Plaintext, cluster.SASLPlaintext, cluster.SASLTLS, cluster.MutualTLS} {
		fmt.Printf("%-14s %s\n", l, c.Brokers(l))
	}
	fmt.Printf("%-14s %v, each with its name and -secret as password\n", "users", cluster.Users())
	fmt.Printf("%-14s %s %s %s\n", "certificates", c.CA(), c.ClientCert(), c.ClientKey())
	return nil
}
