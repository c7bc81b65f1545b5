package command

import "strings"

// Error texts of Redis 7.0, code included, as clients match them.
const (
	ErrSyntax      = "ERR syntax error"
	ErrWrongType   = "WRONGTYPE Operation against a key holding the wrong kind of value"
	ErrNotInteger  = "ERR value is not an integer or out of range"
	ErrNotFloat    = "ERR value is not a valid float"
	ErrNoSuchKey   = "ERR no such key"
	ErrOutOfRange  = "ERR index out of range"
	ErrDBIndex     = "ERR DB index is out of range"
	ErrInvalidDB   = "ERR invalid DB index"
	ErrSameObject  = "ERR source and destination objects are the same"
	ErrStringBytes = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	ErrReadOnly    = "READONLY You can't write against a read only replica."
	ErrInternal    = "ERR internal error: the command failed on every node alike; please report it"
)

// ErrWrongArgs is the arity error for a command or ("config|get") subcommand.
func ErrWrongArgs(s *Spec) string {
	return "ERR wrong number of arguments for '" + s.Name + "' command"
}

const quotedBytesMax = 128 // Redis prints at most this much of a name or of all arguments

// ErrUnknownCommand is Redis's text for a command that is not in the table, with the beginning of its arguments.
func ErrUnknownCommand(args [][]byte) string {
	var b strings.Builder
	b.WriteString("ERR unknown command '")
	b.WriteString(clip(args[0], quotedBytesMax))
	b.WriteString("', with args beginning with: ")
	// Redis stops adding arguments once 128 bytes of them stand there.
	for n, i := 0, 1; i < len(args) && n < quotedBytesMax; i++ {
		part := "'" + clip(args[i], quotedBytesMax-n) + "' "
		b.WriteString(part)
		n += len(part)
	}
	return b.String()
}

// ErrUnknownSubcommand is Redis's text for a container whose second argument names nothing.
func ErrUnknownSubcommand(container *Spec, sub []byte) string {
	return "ERR unknown subcommand '" + clip(sub, quotedBytesMax) + "'. Try " + strings.ToUpper(container.Name) + " HELP."
}

func clip(b []byte, n int) string {
	if len(b) > n {
		b = b[:n]
	}
	return string(b)
}
