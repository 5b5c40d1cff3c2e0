// SPDX-License-Identifier: Apache-2.0

// Package endtoend tests the sensor as a user runs it: the program is built, runs over captures, interfaces and real Kafka, and its records,
// messages and exit status are checked.
package endtoend
