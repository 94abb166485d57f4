package wire

// MarshalJSON writes the event as AppendEvent does. An event whose payload is no
// JSON is an error of json.Marshal. Sessions and rooms do not use it.
func (ev Event) MarshalJSON() ([]byte, error) { return AppendEvent(nil, ev), nil }

// UnmarshalJSON reads the event as DecodeServer does, with its errors. The
// payload does not share memory with data.
func (ev *Event) UnmarshalJSON(data []byte) error {
	read, err := DecodeServer(append([]byte(nil), data...)) // data is the caller's again when this returns
	if err != nil {
		return err
	}
	*ev = read
	return nil
}
