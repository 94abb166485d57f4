// Package table holds what a room needs in order to decide instead of relaying:
// the face of a game's [Rules], and nothing of where they run. Rules are a pure
// value; package rooms hosts them (rooms.Host), stores what they decide
// before anybody is told, and has another node go on where one was lost.
package table
