// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"io"

	"stillwatch/sensor/internal/capture"
)

// Watch reads src until it or ctx ends, and keeps a sample of the frames. For a port it also watches the clock of this machine.
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
