// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestWhoHangsUpIsNoError: a browser that is closed during the sign-in is nothing that an operator must look at.
func TestWhoHangsUpIsNoError(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	k := &Console{log: zap.New(core)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/signin", nil)
	k.signInRefused(httptest.NewRecorder(), r, context.Canceled, signInBody{})
	if logs.Len() != 0 {
		t.Errorf("logged: %+v", logs.All())
	}
}
