// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"reflect"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/tls"
)

// TestPooledDissectorsAreCleared checks that a used dissector reads the next session as a new one would.
func TestPooledDissectorsAreCleared(t *testing.T) {
	get := []byte(request("GET /index.html HTTP/1.1", "Host: cam.example", "Authorization: Basic YWRtaW46YWRtaW4="))
	hello := []byte("\x16\x03\x01\x00\x30\x01\x00\x00\x40\x03\x03")
	var pool Pool
	var c Conversation
	for range 3 {
		for _, stream := range [][]byte{get, hello, get[:20]} {
			var fresh Conversation
			var got, want []dissect.Fact
			c.Reset(dissect.Ports{Client: 40000, Server: 80}, &pool)
			fresh.Reset(dissect.Ports{Client: 40000, Server: 80}, nil)
			c.Stream(dissect.FromClient, stream, false, func(f dissect.Fact) { got = append(got, f) })
			fresh.Stream(dissect.FromClient, stream, false, func(f dissect.Fact) { want = append(want, f) })
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q: %s, want %s", stream, dissecttest.Dump(got), dissecttest.Dump(want))
			}
		}
	}
	c.Reset(dissect.Ports{}, nil)
	if len(pool.http) != 1 || len(pool.tls) != 1 || !reflect.DeepEqual(*pool.http[0], http.Stream{}) || !reflect.DeepEqual(*pool.tls[0], tls.Stream{}) {
		t.Errorf("not empty: %+v", pool)
	}
}
