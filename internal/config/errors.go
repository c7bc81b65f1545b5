package config

import (
	"errors"
	"fmt"
)

// The kinds of errors. FileError and SetError wrap one of them.
var (
	ErrSyntax       = errors.New("config: syntax error")
	ErrUnknown      = errors.New("config: unknown setting")
	ErrUnsupported  = errors.New("config: directive not supported")
	ErrInvalidValue = errors.New("config: invalid value")
	ErrLimit        = errors.New("config: a limit is exceeded")
	ErrImmutable    = errors.New("config: the setting cannot be changed at run time")
	ErrProtected    = errors.New("config: the setting is protected")
	ErrDuplicate    = errors.New("config: the setting is named twice")
	ErrApply        = errors.New("config: the change could not be carried out")
	ErrConflict     = errors.New("config: settings contradict each other")
	// ErrNoFile is the answer to CONFIG REWRITE of a server that was started without a file. Its text is the reply.
	ErrNoFile = errors.New("ERR The server is running without a config file")
)

// FileError is what is wrong with one line of a configuration file. It wraps one of the errors above, or the error of
// the file system for an include that cannot be read.
type FileError struct {
	File string
	Line int // from 1
	Text string
	Err  error
}

// Error is "file:line: text".
func (e *FileError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Unwrap returns the kind.
func (e *FileError) Unwrap() error { return e.Err }

// SetError is a refused CONFIG SET. Nothing was changed.
type SetError struct {
	Text string // the reply, with its code
	Err  error  // the kind; for ErrApply joined with what the hook answered and any hook that could not roll back
}

// Error is the reply.
func (e *SetError) Error() string { return e.Text }

// Unwrap returns the kind.
func (e *SetError) Unwrap() error { return e.Err }

// Warning names a directive that was accepted but has no effect.
type Warning struct {
	File   string // empty for a flag
	Line   int    // from 1; 0 for a flag
	Name   string
	Reason string
}

// String is one line for the log.
func (w Warning) String() string {
	if w.File == "" {
		return fmt.Sprintf("--%s has no effect here: %s", w.Name, w.Reason)
	}
	return fmt.Sprintf("%s:%d: '%s' has no effect here: %s", w.File, w.Line, w.Name, w.Reason)
}

// badValue is why a value was refused, in the words of Redis's CONFIG SET.
type badValue string

func (b badValue) Error() string { return string(b) }

func (b badValue) Is(target error) bool { return target == ErrInvalidValue }
