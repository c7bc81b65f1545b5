package command

// EventClass is a class of keyspace events, or a set of classes.
type EventClass uint16

// The classes of Redis 7.0, with their letters in notify-keyspace-events.
const (
	EventGeneric EventClass = 1 << iota // g
	EventString                         // $
	EventList                           // l
	EventSet                            // s
	EventHash                           // h
	EventZset                           // z
	EventExpired                        // x
	EventEvicted                        // e
	EventStream                         // t
	EventMiss                           // m
	EventNew                            // n
)

// Event says that something was done to a key: what Redis's keyspace notifications tell.
type Event struct {
	Class EventClass
	Name  string // "hset"
	DB    int
	Key   string
}
