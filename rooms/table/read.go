package table

import (
	"encoding"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Read decodes the payload of a command; an absent one is an empty object. What
// does not fit is refused, in words for who sent it: which field must be what. So
// is an object that has a name twice, and a name of a field in another case: a
// field is named by its json tag, or else by its Go name with a small beginning,
// as amount for Amount. Other names are passed over.
func Read[T any](c Command) (payload T, err error) {
	if c.Payload == nil {
		return payload, nil
	}
	if wrong := checkNames(c.Payload, reflect.TypeFor[T]()); wrong != "" {
		return payload, Refuse("the payload of %s is not what it should be: %s", c.Type, wrong)
	}
	if err := json.Unmarshal(c.Payload, &payload); err != nil {
		return payload, Refuse("the payload of %s is not what it should be: %s", c.Type, misfit(c.Payload, err))
	}
	return payload, nil
}

// misfit says what of a payload does not fit, without the names that the program
// has for it.
func misfit(payload json.RawMessage, err error) string {
	var e *json.UnmarshalTypeError
	if !errors.As(err, &e) {
		return err.Error() // what a type of the rules says of its own text
	}
	what := "it"
	if e.Field != "" {
		what = asSent(payload, e.Field)
	}
	got, digits := strings.CutPrefix(e.Value, "number ")
	if kind := e.Type.Kind(); digits && reflect.Int <= kind && kind <= reflect.Uintptr && !strings.ContainsAny(got, ".eE") {
		return what + " is out of range: " + got
	}
	return what + " must be " + wanted(e.Type) + ", not " + inWords(got)
}

// asSent is a field's path with its first name as the payload writes it: rules
// may write theirs with a capital.
func asSent(payload json.RawMessage, path string) string {
	first, rest, _ := strings.Cut(path, ".")
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return path
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if strings.EqualFold(name, first) {
			return strings.TrimSuffix(name+"."+rest, ".")
		}
	}
	return path
}

func wanted(t reflect.Type) string {
	if reads := reflect.TypeFor[encoding.TextUnmarshaler](); t.Implements(reads) || reflect.PointerTo(t).Implements(reads) {
		return "a text"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a whole number"
	}
}

func inWords(value string) string {
	switch value {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		return "a number"
	default:
		return value
	}
}
