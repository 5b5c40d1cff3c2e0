// SPDX-License-Identifier: Apache-2.0

// Package endtoend tests the collector as a user runs it: as a process of its own, with real Kafka or the embedded broker, and with the
// sensor in front of it.
package endtoend
