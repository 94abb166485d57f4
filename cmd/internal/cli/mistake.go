package cli

import (
	"errors"
	"regexp"
	"strings"
)

var (
	missing  = regexp.MustCompile(`^(--[a-z-]+): expected \w+ value but got "EOL"`)
	mistyped = regexp.MustCompile(`^(--[a-z-]+): [^"]*?\b(uint|int|float|duration|bool)\b[^"]*but got ("(?:[^"\\]|\\.)*")`)
)

// takes describes the values of a flag by its type.
var takes = map[string]string{
	"uint": "a whole number from 0 up", "int": "a whole number", "float": "a number such as 1.5", "duration": "a duration such as 30s", "bool": "true or false",
}

// Explain says of an error of kong's parser which value was wrong and what to
// write instead, and leaves every other error as it is.
func Explain(err error) error {
	text := err.Error()
	if m := missing.FindStringSubmatch(text); m != nil {
		return errors.New(m[1] + ": the value is missing")
	}
	if m := mistyped.FindStringSubmatch(text); m != nil {
		return errors.New(m[1] + " is " + strings.Trim(m[3], `"`) + "; it must be " + takes[m[2]])
	}
	return err
}
