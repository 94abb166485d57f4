package eventlog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What the log answers to a step, in its words.
func TestStepAck(t *testing.T) {
	for answer, want := range map[string]error{
		`{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"},"stream":"STEPS","seq":0}`:     ErrInProcess,
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 17"},"stream":"STEPS","seq":0}`: ErrWrongLast,
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"STEPS","seq":0}`:  ErrFull,
	} {
		seq, err := stepAck([]byte(answer))
		var wrong *WrongLastError
		if seq != 0 || !errors.Is(err, want) || errors.As(err, &wrong) && wrong.Last != 17 {
			t.Errorf("%s: %d, %v", answer, seq, err)
		}
	}
	for _, answer := range []string{"", "{", `{"error":{"code":500,"err_code":1}}`} {
		if seq, err := stepAck([]byte(answer)); err == nil || errors.Is(err, ErrInProcess) || errors.Is(err, ErrWrongLast) || errors.Is(err, ErrFull) {
			t.Errorf("%q: %d, %v", answer, seq, err)
		}
	}
	if seq, err := stepAck([]byte(`{"stream":"STEPS","seq":17}`)); seq != 17 || err != nil {
		t.Errorf("an ack: %d, %v", seq, err)
	}
}

// A pause ends in time, early, or with its context.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if early, err := PauseUntil(t.Context(), time.Hour, nil); early || err != nil || time.Since(began) != time.Hour {
			t.Errorf("%v %v after %v", early, err, time.Since(began))
		}
		signal := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(signal) })
		began = time.Now()
		if early, err := PauseUntil(t.Context(), time.Hour, signal); !early || err != nil || time.Since(began) != time.Minute {
			t.Errorf("early: %v %v after %v", early, err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if early, err := PauseUntil(ctx, time.Hour, nil); early || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("with its context: %v %v after %v", early, err, time.Since(began))
		}
		for attempt := range 100 {
			if d := BeforeAttempt(attempt); d > 3*RequestTimeout/2 || (d == 0) != (attempt == 0) {
				t.Errorf("%v before attempt %d", d, attempt)
			}
		}
	})
}
