package command

// EventClass is a class of what the state machine tells its node of, or a set of classes.
type EventClass uint16

// The classes of Redis 7.0's keyspace events, with their letters in notify-keyspace-events, and the messages of PUBLISH
// and SPUBLISH.
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
	EventMessage
	EventShardMessage
)

// EventMessages are the classes that are no keyspace events.
const EventMessages = EventMessage | EventShardMessage

// Event says that something was done to a key, which is what Redis's keyspace notifications tell, or that a message was
// published.
type Event struct {
	Class EventClass
	Name  string // "hset"; empty for a message
	DB    int
	Key   string // of a message: its channel
	// Message is what was published, empty for other events.
	Message string
}

// Publisher is a Reply that knows how many clients of its node have got a message.
type Publisher interface {
	Reply
	// Published replies the number of clients that the message told last has gone to. It is called where the log is
	// applied, right after the listener was told of that message.
	Published()
}
