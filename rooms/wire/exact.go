package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// UnmarshalExact is json.Unmarshal for one object, into a pointer to a struct,
// whose names of fields are matched exactly: encoding/json takes "UID" for
// "uid". A field of the struct that is there twice is an error, as two readers
// could take different ones; so is text that is no UTF-8. Other fields are
// ignored. Structs within are read as json.Unmarshal does.
func UnmarshalExact(data []byte, into any) error {
	if !utf8.Valid(data) { // encoding/json replaces every invalid byte by the same character
		return errors.New("it is not valid UTF-8")
	}
	if !json.Valid(data) {
		return json.Unmarshal(data, into) // says what is wrong
	}
	exact, err := exactFields(data, fieldsOf(reflect.TypeOf(into).Elem()))
	if err != nil {
		return err
	}
	return json.Unmarshal(exact, into)
}

// exactFields returns the object in data, which is JSON, with the fields that
// are in names only. The values are as they were written.
func exactFields(data []byte, names []string) ([]byte, error) {
	read := json.NewDecoder(bytes.NewReader(data))
	if open, err := read.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var seen []string
	exact := append(make([]byte, 0, len(data)), '{')
	for read.More() {
		token, err := read.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := read.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := token.(string) // a name is always one
		if !slices.Contains(names, name) {
			continue
		}
		if slices.Contains(seen, name) {
			return nil, fmt.Errorf("%s is there twice; write it once", name)
		}
		if len(seen) > 0 {
			exact = append(exact, ',')
		}
		seen = append(seen, name)
		exact = append(append(AppendString(exact, name), ':'), value...)
	}
	return append(exact, '}'), nil
}

// fieldsOf returns the names that encoding/json has for the fields of a struct,
// all of which have a tag.
func fieldsOf(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
