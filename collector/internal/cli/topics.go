// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/queue"
	"stillwatch/collector/internal/serve"
)

type topicsCmd struct {
	Init  topicsInitCmd  `cmd:"" help:"Create missing topics. Existing topics are not changed."`
	Check topicsCheckCmd `cmd:"" help:"List missing topics and different settings: partitions, replicas, retention, compaction, min.insync.replicas."`
}

// topicsTimeout is the timeout of the topics commands.
const topicsTimeout = time.Minute

type topicsInitCmd struct{ configFlag }

// Run creates missing topics and prints remaining differences.
func (c *topicsInitCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeout)
	defer cancel()
	link, plan, err := topicsOf(c.configFlag)
	if err != nil {
		return err
	}
	made, err := link.Init(ctx, plan)
	err = link.Explain(err)
	for _, name := range made {
		fmt.Println("created", name)
	}
	if err != nil {
		return err
	}
	return printDifferences(ctx, link, plan)
}

type topicsCheckCmd struct{ configFlag }

// Run prints the differences. The exit status is 1 if there are any.
func (c *topicsCheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeout)
	defer cancel()
	link, plan, err := topicsOf(c.configFlag)
	if err != nil {
		return err
	}
	return printDifferences(ctx, link, plan)
}

func topicsOf(f configFlag) (*queue.Link, queue.Plan, error) {
	c, err := f.load()
	if err != nil {
		return nil, queue.Plan{}, err
	}
	plan := queue.Plan{Partitions: c.Kafka.Topics.Partitions, Replicas: c.Kafka.Topics.Replicas}
	if b := c.Broker; b != nil { // it runs within "serve"; here it is a broker like any other
		c.Kafka = config.Kafka{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", b.Port)}}
		plan = serve.EmbeddedPlan()
	}
	link, err := serve.Link(c.Kafka)
	if err != nil {
		return nil, queue.Plan{}, usageError{err}
	}
	return link, plan, nil
}

func printDifferences(ctx context.Context, link *queue.Link, plan queue.Plan) error {
	all, err := link.Check(ctx, plan)
	if err != nil {
		return link.Explain(err)
	}
	for _, d := range all {
		fmt.Println(d)
	}
	if len(all) > 0 {
		return errDiffers
	}
	fmt.Println("all topics are configured correctly")
	return nil
}
