// SPDX-License-Identifier: Apache-2.0

// Package publish carries records out of the sensor: as JSON Lines to a file or to standard output, and to Kafka by way of a
// spool on disk, which a record leaves only when it has arrived. What an alert may know only at the moment it leaves (wall
// clock, boot, sequence number) is stamped here too.
package publish

import "fmt"

// Sink takes whole records. It has one caller at a time.
type Sink interface {
	// Put takes one record: a JSON object with its final newline. The bytes are not kept. After the first error every
	// further call gives that same error and takes nothing.
	Put(line []byte) error
	// Flush passes on what is held back.
	Flush() error
	// Close flushes and lets go. It may be called more than once.
	Close() error
}

// WriteError says that a sink can take no more, and how much of what it was given is whole.
type WriteError struct {
	Name    string // of the file
	Records uint64 // records that were written whole
	Cut     bool   // the last line of the file is incomplete and could not be taken back
	Err     error
}

// Error gives one line: where, why, what is there.
func (e *WriteError) Error() string {
	return fmt.Sprintf("cannot write %s: %v; %s", e.Name, e.Err, e.state())
}

func (e *WriteError) state() string {
	switch {
	case e.Records == 0 && e.Cut:
		return "no record was written whole, and the first is cut"
	case e.Records == 0:
		return "no record was written"
	case e.Cut:
		return fmt.Sprintf("%s written whole, and the next is cut", number(e.Records))
	case e.Records == 1:
		return "1 record was written, and it is whole"
	}
	return fmt.Sprintf("%s written, each of them whole", number(e.Records))
}

func number(n uint64) string {
	if n == 1 {
		return "1 record was"
	}
	return fmt.Sprintf("%d records were", n)
}

// Unwrap gives the error of the file system.
func (e *WriteError) Unwrap() error { return e.Err }
