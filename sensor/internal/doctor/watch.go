// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"io"

	"stillwatch/sensor/internal/capture"
)

// Watch reads src to its end, or until ctx ends, and keeps a sample of the frames. Of a port, the clock of this machine is watched too.
func (o *Observer) Watch(ctx context.Context, src capture.Source, keep *Sample) error {
	var clock clockWatch
	var b capture.Batch
	for ctx.Err() == nil {
		err := src.Next(&b)
		o.See(&b)
		keep.Keep(&b)
		if o.Port != nil {
			clock.look(&o.t)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}
