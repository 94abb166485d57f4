package main

import (
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExitStatus(t *testing.T) {
	if got := exitStatus(fmt.Errorf("%w: 1 lost", verify.ErrBroken)); got != 2 {
		t.Errorf("a broken promise ends with %d", got)
	}
	if got := exitStatus(errors.New("cannot connect")); got != 1 {
		t.Errorf("another error ends with %d", got)
	}
}
