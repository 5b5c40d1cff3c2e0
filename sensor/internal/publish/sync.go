// SPDX-License-Identifier: Apache-2.0

package publish

// Sync waits until every record that was handed in is on disk, or has arrived. While the disk takes nothing it gives that fault.
func (p *Publisher) Sync() error { return p.spool.Sync() }
