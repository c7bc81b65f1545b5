// Package script runs behaviour scripts: readable lists of commands with the replies that real Redis gives. The same
// script runs against the bare state machine, against a server of ours and against redis-server.
//
// A script is lines of these forms:
//
//	# a comment                     kept as it is, as empty lines are
//	@server                         first lines only: the script needs a server (connection commands)
//	@needs rpush                    the script is skipped where there is no such command
//	@since 7.4                      it is about what an older redis-server does not have: the replies are those that Redis documents
//	@resp3                          the connection speaks RESP3 from here on; @resp2 goes back
//	@conn b                         the next commands go over the connection called b, opened when first named
//	@db 3                           SELECT 3 on the present connection
//	@wait 20ms                      lets time pass
//	> SET k "a b" EX 10             a command; the lines after it are its reply
//	& BLPOP k 0                     a command whose reply comes later; no other may go over its connection before
//	@blocked 2                      waits until so many clients of the server are blocked
//	@await b                        the reply to what was sent over the connection b
//	> TTL k  ~int                   a command whose reply is compared in part
//	(integer ~)
//
// Arguments are split at spaces. In double quotes \n \r \t \\ \" and \xHH are read; {abc*1000} alone is "abc" a thousand
// times. SCANALL stands for SCAN from cursor 0 until it ends and replies the keys found, sorted, each once. SEND sends the
// command that follows it on the line and awaits no reply; RECEIVE awaits the next reply or push message.
//
// The markers, after two spaces at the end of the line:
//
//	~int        any integer
//	~bulk       any string
//	~array      any array
//	~any        anything
//	~unordered  the elements of the reply, in any order (they are sorted)
//
// Replies are printed on one line: (nil), (nil array), (integer) 1, "text", OK for a status, (error) ERR ..., [a, b] for
// an array, {k: v} for a map, #{a, b} for a set, >[a, b] for a push message, (double) 1.5, (big) 12, (true), (false) and
// (txt) "text" for a verbatim string; an integer in an array, map or set is a bare number. A string of more than 200 bytes is printed as its beginning, length and CRC-32.
//
// A Script is read-only once parsed; Run keeps its state to itself.
package script
