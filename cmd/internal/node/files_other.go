//go:build !unix

package node

// assumedFiles is the limit on systems that report none.
const assumedFiles = 1 << 16

// raiseFiles returns assumedFiles: this system reports no limit.
func raiseFiles() (int, error) { return assumedFiles, nil }
