// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"reflect"
	"testing"
)

// A dissector that has read one session reads the next as a new one would.
func TestSparesForget(t *testing.T) {
	get := []byte(request("GET /index.html HTTP/1.1", "Host: cam.example", "Authorization: Basic YWRtaW46YWRtaW4="))
	hello := []byte("\x16\x03\x01\x00\x30\x01\x00\x00\x40\x03\x03")
	var spares Spares
	var c Conversation
	for range 3 {
		for _, stream := range [][]byte{get, hello, get[:20]} {
			var fresh Conversation
			var got, want []Fact
			c.Reset(Ports{40000, 80}, &spares)
			fresh.Reset(Ports{40000, 80}, nil)
			c.Stream(FromClient, stream, false, func(f Fact) { got = append(got, f) })
			fresh.Stream(FromClient, stream, false, func(f Fact) { want = append(want, f) })
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q: %s, want %s", stream, dump(got), dump(want))
			}
		}
	}
	c.Reset(Ports{}, nil)
	if len(spares.http) != 1 || len(spares.tls) != 1 || !reflect.DeepEqual(*spares.http[0], httpStream{}) || !reflect.DeepEqual(*spares.tls[0], tlsStream{}) {
		t.Errorf("not empty: %+v", spares)
	}
}
