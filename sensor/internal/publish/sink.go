// SPDX-License-Identifier: Apache-2.0

// Package publish delivers records: as JSON Lines to a file or standard output, and to Kafka through a spool on disk, which a record leaves
// only after the brokers have acknowledged it. It also stamps alerts with what is known only at delivery: wall clock, boot ID and sequence
// number.
package publish

import "fmt"

// Sink writes records. It is not safe for concurrent use.
type Sink interface {
	// Put writes one record: a JSON object with a final newline. It does not retain the bytes. After an error every further call
	// returns the same error and writes nothing.
	Put(line []byte) error
	// Flush writes buffered records.
	Flush() error
	// Close flushes and closes the sink. It may be called more than once.
	Close() error
}

// WriteError means that a sink failed. It has the number of whole records that were written before.
type WriteError struct {
	Name    string // of the file
	Records uint64 // records that were written whole
	Cut     bool   // the last line of the file is incomplete and could not be removed
	Err     error
}

// Error returns one line: the file, the cause, and what was written.
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

// Unwrap returns the error of the file system.
func (e *WriteError) Unwrap() error { return e.Err }
