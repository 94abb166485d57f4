// Package js holds the client for JavaScript: an ES module for browsers, Node,
// Deno and Bun. README.md beside this file is written for those who use it. A
// node serves it at /client.js, so that a page needs no build; npm pack in this
// folder makes a package of it.
package js

import _ "embed" // for Client

// Client is client.js, as it is written.
//
//go:embed client.js
var Client []byte
