package httpapi

import "net/http"

// inspectTable tells how a table is.
func (a *api) inspectTable(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	return a.engine.InspectTable(r.Context(), room)
}

// resumeTable has a table go on that has stopped.
func (a *api) resumeTable(r *http.Request) (any, error) {
	room, err := roomOf(r)
	if err != nil {
		return nil, err
	}
	if err := a.engine.ResumeTable(r.Context(), room); err != nil {
		return nil, err
	}
	return map[string]bool{"resumed": true}, nil
}
