// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"stillwatch/collector/internal/store"
)

// heardStore is a store with one sensor, which was heard some seconds ago.
type heardStore struct {
	store.Records
	ago atomic.Int64
}

func (h *heardStore) Sensors(context.Context) ([]store.SensorRow, error) {
	return []store.SensorRow{{ID: "span-1", Heard: time.Now().Add(-time.Duration(h.ago.Load()) * time.Second)}, {ID: "replayed"}}, nil
}

// TestUnheardSensorIsLogged has a sensor fall silent and return: each change is one line.
func TestUnheardSensorIsLogged(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := &heardStore{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); watchSensors(ctx, s, zap.New(core), time.Millisecond) }()
	for i, ago := range []int64{300, 1, 300} {
		s.ago.Store(ago)
		for end := time.Now().Add(time.Minute); logs.Len() <= i && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	<-done
	var got []string
	for _, e := range logs.All() {
		got = append(got, e.Message+" "+e.ContextMap()["sensor"].(string))
	}
	if want := "[a sensor is not heard span-1 the sensor is heard again span-1 a sensor is not heard span-1]"; fmt.Sprint(got) != want {
		t.Errorf("%s", got)
	}
	if m := states(s); m["span-1"] != "unheard" || len(m) != 1 {
		t.Errorf("states %v", m)
	}
}
