// SPDX-License-Identifier: Apache-2.0

// Package kafkatest runs Apache Kafka for the duration of a test.
package kafkatest

import (
	"context"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testneed"
)

// startTime limits the start of a cluster on a busy machine, including the first download.
const startTime = 5 * time.Minute

// Start returns a running cluster with its data in a directory of the test. If Java is missing, or Kafka's archives cannot
// be fetched, the test is skipped, or fails if STILLWATCH_REQUIRE names kafka.
func Start(t testing.TB, o cluster.Options) *cluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if _, err := cluster.Jars(ctx); err != nil {
		testneed.Missing(t, testneed.KafkaNeed, "%v", err)
	}
	o.Bound = true
	c, err := cluster.Create(ctx, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// Topic creates a topic.
func Topic(t testing.TB, c *cluster.Cluster, name string, partitions int, settings map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := c.CreateTopic(ctx, name, partitions, settings); err != nil {
		t.Fatal(err)
	}
}
