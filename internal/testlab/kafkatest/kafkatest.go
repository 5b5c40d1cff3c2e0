// SPDX-License-Identifier: Apache-2.0

// Package kafkatest gives a test real Kafka that is gone when the test is over.
package kafkatest

import (
	"context"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testneed"
)

// startTime is how long a cluster may take to start on a busy machine, the first download included.
const startTime = 5 * time.Minute

// Start gives a running cluster whose data lies in a folder of the test. Without Java, or without Kafka's archives and
// the means to fetch them, the test is skipped, or fails if STILLWATCH_REQUIRE names kafka.
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.CreateTopic(ctx, name, partitions, settings); err != nil {
		t.Fatal(err)
	}
}
