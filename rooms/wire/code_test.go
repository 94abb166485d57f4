package wire

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants returns the values of the package's constants of one type, as
// they are written in file.
func constants(t *testing.T, file, typ string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ {
			values = append(values, spec.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("no constants of type %s in %s", typ, file)
	}
	return values
}

func allCodes(t *testing.T) []Code {
	var codes []Code
	for _, literal := range constants(t, "code.go", "Code") {
		code, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, Code(code))
	}
	return codes
}

func allCloseCodes(t *testing.T) []CloseCode {
	var codes []CloseCode
	for _, literal := range constants(t, "close.go", "CloseCode") {
		n, err := strconv.ParseUint(literal, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, CloseCode(n))
	}
	return codes
}

// Every code that is not of HTTP answers alone is among those of events.
func TestEventCodes(t *testing.T) {
	want := slices.DeleteFunc(allCodes(t), func(c Code) bool { return c == Unauthorized || c == NotFound })
	if !slices.Equal(EventCodes[:], want) {
		t.Errorf("EventCodes are %v, want %v", EventCodes, want)
	}
}

// The table in testdata is the contract: compare a change with README.md.
func TestCodes(t *testing.T) {
	var b strings.Builder
	for _, code := range allCodes(t) {
		fmt.Fprintf(&b, "%-14s retryable=%v\n", code, code.Retryable())
	}
	for _, code := range allCloseCodes(t) {
		fmt.Fprintf(&b, "%d %-28s reconnect=%-5v keeps_seat=%v\n", uint16(code), code, code.Reconnect(), code.KeepsSeat())
		if code.String() == "other" {
			t.Errorf("close code %d has no reason", uint16(code))
		}
	}
	golden(t, "codes.golden", b.String())
}

func TestReconnectRanges(t *testing.T) {
	for code, want := range map[CloseCode]bool{
		1000: false, 1001: true, 1005: false, 1006: true, 1009: false, 1012: true, 3999: false,
		4000: true, 4499: true, 4500: false, 4999: false, 5000: false,
	} {
		if code.Reconnect() != want {
			t.Errorf("%d: reconnect %v", uint16(code), !want)
		}
	}
}

type listError []string

func (l listError) Error() string { return strings.Join(l, ", ") }

func TestErrorOrNil(t *testing.T) {
	var none *Error
	var list listError
	refusal := Errorf(Busy, "later")
	for _, c := range []struct{ err, want error }{{nil, nil}, {none, nil}, {refusal, refusal}, {io.EOF, io.EOF}} {
		if got := ErrorOrNil(c.err); got != c.want {
			t.Errorf("ErrorOrNil(%#v) is %v, want %v", c.err, got, c.want)
		}
	}
	if ErrorOrNil(list) == nil {
		t.Error("an empty list that is an error was taken for none")
	}
}

func TestAsError(t *testing.T) {
	var none *Error
	refusal := Errorf(Busy, "later")
	if got := AsError(nil); got != nil {
		t.Errorf("AsError(nil) is %v, want nil", got)
	}
	for _, c := range []struct {
		err   error
		code  Code
		known bool
	}{
		{refusal, Busy, true}, {fmt.Errorf("db7: %w", refusal), Busy, true}, {io.EOF, Internal, false},
		{none, Internal, false}, {fmt.Errorf("db7: %w", none), Internal, false},
	} {
		got := AsError(c.err)
		if got == nil || got.Code != c.code || Known(c.err) != c.known {
			t.Errorf("AsError(%v) is %v and known %v, want %s and %v", c.err, got, Known(c.err), c.code, c.known)
		}
	}
	if got := AsError(fmt.Errorf("joining: %w", refusal)); got != refusal {
		t.Errorf("a wrapped *Error became %v", got)
	}
	if got := AsError(errors.New("password=hunter2")); strings.Contains(got.Message, "hunter2") {
		t.Errorf("an unknown error became %v", got)
	}
	if none.Error() == "" {
		t.Error("a nil *Error says nothing")
	}
}
