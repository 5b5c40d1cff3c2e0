// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/subscribe"
)

// followPolicies returns a function that passes the policies of the topic to a run until ctx ends. It does nothing without Kafka, or if no key is
// trusted: every policy would be refused.
func followPolicies(ctx context.Context, log *zap.Logger, cfg pipeline.Config, r *pipeline.Run, to *publishTo) (func(), error) {
	if to == nil || len(cfg.Settings.PolicyKeys) == 0 {
		return func() {}, nil
	}
	kafka, err := to.kafka()
	if err != nil {
		return nil, err
	}
	c := subscribe.Config{Kafka: kafka, Topic: schemas.PolicyTopic,
		Deliver: func(ctx context.Context, values [][]byte) error {
			offers := make([]policy.Offer, len(values))
			for i, v := range values {
				offers[i] = policy.Offer{Raw: v}
			}
			return r.Offer(ctx, offers)
		},
		Report: func(err error) {
			if err != nil {
				log.Warn("policies cannot be read; those that the sensor has stay active", zap.Error(err))
				return
			}
			log.Info("reading policies", zap.String("topic", schemas.PolicyTopic))
		}}
	return func() {
		if err := subscribe.Run(ctx, c); err != nil {
			log.Error("policies are no longer read", zap.Error(err))
		}
	}, nil
}
