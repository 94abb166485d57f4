//go:build !race

package rooms_test

const raceEnabled = false
