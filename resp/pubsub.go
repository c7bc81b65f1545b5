package resp

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/internal/config"
	"github.com/redoubtdb/redoubt/internal/glob"
)

// topicKind is what a client may subscribe to.
type topicKind uint8

const (
	ofChannels topicKind = iota
	ofPatterns
	ofShards
	topicKinds
)

// hub knows what the clients of this node have subscribed to, and passes on to them what the state machine tells. Each
// node's hub is told of every message when its own log is applied.
type hub struct {
	srv *Server

	// listening is held while the state machine is asked to tell. told is what it has been asked for.
	listening sync.Mutex
	told      command.EventClass

	mu     sync.RWMutex
	topics [topicKinds]map[string]map[*conn]struct{} // by name, none of them empty
	// keyspace and keyevent are K and E of notify-keyspace-events.
	keyspace, keyevent bool

	// receivers is how many clients the last message went to. It belongs to the goroutine that applies the log.
	receivers int
}

func newHub(s *Server) *hub {
	h := &hub{srv: s}
	for k := range h.topics {
		h.topics[k] = make(map[string]map[*conn]struct{})
	}
	return h
}

const eventsSetting = "notify-keyspace-events"

// eventLetters are the classes of keyspace events as notify-keyspace-events names them.
var eventLetters = map[rune]command.EventClass{
	'g': command.EventGeneric, '$': command.EventString, 'l': command.EventList, 's': command.EventSet, 'h': command.EventHash,
	'z': command.EventZset, 'x': command.EventExpired, 'e': command.EventEvicted, 't': command.EventStream,
	'm': command.EventMiss, 'n': command.EventNew,
	'A': command.EventGeneric | command.EventString | command.EventList | command.EventSet | command.EventHash |
		command.EventZset | command.EventExpired | command.EventEvicted | command.EventStream,
}

// listen has the state machine tell of messages, of the keyspace events that notify-keyspace-events names, and of changes as
// long as somebody tracks.
func (h *hub) listen() {
	h.listening.Lock()
	defer h.listening.Unlock()
	setting := h.srv.cfg.EventLetters()
	var classes command.EventClass
	for _, letter := range setting {
		classes |= eventLetters[letter]
	}
	h.mu.Lock()
	h.keyspace, h.keyevent = strings.ContainsRune(setting, 'K'), strings.ContainsRune(setting, 'E')
	if !h.keyspace && !h.keyevent {
		classes = 0
	}
	h.mu.Unlock() // before the machine is locked: it calls tell while it is
	classes |= command.EventMessages
	if h.srv.tracker.some.Load() {
		classes |= command.EventTracking
	}
	if classes != h.told {
		h.told = classes
		h.srv.backend.OnEvents(classes, h.tell)
	}
}

// tell passes on what has happened: see fsm.Machine.OnEvents. A node that is still catching up with its cluster tells
// nobody of messages and keyspace events: they are from before its clients have come.
func (h *hub) tell(_ uint64, happened []command.Event) {
	loading := h.srv.backend.Loading()
	d := h.delivery()
	tracked := false
	h.mu.RLock()
	defer h.mu.RUnlock()
	for i := range happened {
		switch e := &happened[i]; {
		case e.Class&command.EventTracking != 0:
			tracked = true
			h.srv.tracker.tell(&d, e)
		case loading:
			if e.Class&command.EventMessages != 0 {
				h.receivers = 0
			}
		case e.Class == command.EventMessage:
			h.receivers = h.publish(&d, e.Key, e.Message)
		case e.Class == command.EventShardMessage:
			h.receivers = d.send(h.topics[ofShards][e.Key], push{kind: "smessage", channel: e.Key, text: e.Message})
		default:
			h.notify(&d, e)
		}
	}
	if tracked {
		h.srv.tracker.broadcast(&d)
	}
}

// notify publishes a keyspace event under both names that Redis has for it.
func (h *hub) notify(d *delivery, e *command.Event) {
	if len(h.topics[ofChannels]) == 0 && len(h.topics[ofPatterns]) == 0 {
		return
	}
	db := "@" + strconv.Itoa(e.DB) + "__:"
	if h.keyspace {
		h.publish(d, "__keyspace"+db+e.Key, e.Name)
	}
	if h.keyevent {
		h.publish(d, "__keyevent"+db+e.Name, e.Key)
	}
}

func (h *hub) publish(d *delivery, channel, text string) (receivers int) {
	receivers = d.send(h.topics[ofChannels][channel], push{kind: "message", channel: channel, text: text})
	for pattern, subscribers := range h.topics[ofPatterns] {
		if glob.Match(pattern, channel, false) {
			receivers += d.send(subscribers, push{kind: "pmessage", pattern: pattern, channel: channel, text: text})
		}
	}
	return receivers
}

// delivery is what the pushes of one call of tell share.
type delivery struct {
	limit config.OutputLimit
	now   time.Time // zero until the first push
}

func (d *delivery) send(to map[*conn]struct{}, p push) (receivers int) {
	for c := range to {
		d.one(c, p)
	}
	return len(to)
}

func (d *delivery) one(to *conn, p push) {
	if d.now.IsZero() {
		d.now = time.Now()
	}
	to.receive(p, d.limit, d.now)
}

// count is how many clients would get a message now.
func (h *hub) count(spec *command.Spec, channel string) (receivers int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if spec.Name == "spublish" {
		return len(h.topics[ofShards][channel])
	}
	receivers = len(h.topics[ofChannels][channel])
	for pattern, subscribers := range h.topics[ofPatterns] {
		if glob.Match(pattern, channel, false) {
			receivers += len(subscribers)
		}
	}
	return receivers
}

// subscribers is how many clients have subscribed to a name.
func (h *hub) subscribers(k topicKind, name string) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics[k][name])
}

// names lists what somebody has subscribed to, as far as a pattern matches; nil: all.
func (h *hub) names(k topicKind, pattern []byte) (names []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for name := range h.topics[k] {
		if pattern == nil || glob.Match(string(pattern), name, false) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// len is how many names there are that somebody has subscribed to.
func (h *hub) len(k topicKind) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.topics[k])
}

func (h *hub) enter(c *conn, k topicKind, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	who := h.topics[k][name]
	if who == nil {
		who = make(map[*conn]struct{}, 1)
		h.topics[k][name] = who
	}
	who[c] = struct{}{}
}

// leave takes a connection off a name. Once it returns, nothing more is queued for that.
func (h *hub) leave(c *conn, k topicKind, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	who := h.topics[k][name]
	if delete(who, c); len(who) == 0 {
		delete(h.topics[k], name)
	}
}

// subscriptions are what one connection has subscribed to. They belong to its owner.
type subscriptions struct {
	names [topicKinds]map[string]struct{}
	bytes int64 // of all names
}

// subscribedBytesMax bounds the names that one connection may subscribe to, as they are kept.
const subscribedBytesMax = 64 << 20

// nameBytes is about what a subscription takes: the name, here and with the hub, and its places in the maps.
func nameBytes(name string) int64 { return int64(len(name)) + 128 }

// total is the number of subscriptions.
func (s *subscriptions) total() int { return s.listed(ofChannels) + len(s.names[ofShards]) }

// listed is the number that a confirmation tells: channels and patterns are counted together, shard channels apart.
func (s *subscriptions) listed(k topicKind) int {
	if k == ofShards {
		return len(s.names[ofShards])
	}
	return len(s.names[ofChannels]) + len(s.names[ofPatterns])
}

// subscribe enters a subscription. It is false where the connection has too many.
func (c *conn) subscribe(k topicKind, name string) bool {
	s := &c.subs
	if _, there := s.names[k][name]; there {
		return true
	}
	if s.bytes+nameBytes(name) > subscribedBytesMax {
		return false
	}
	if s.names[k] == nil {
		s.names[k] = make(map[string]struct{}, 1)
	}
	s.names[k][name] = struct{}{}
	s.bytes += nameBytes(name)
	c.shared.subscribed[k].Add(1)
	c.srv.hub.enter(c, k, name)
	return true
}

func (c *conn) unsubscribe(k topicKind, name string) {
	s := &c.subs
	if _, there := s.names[k][name]; !there {
		return
	}
	c.srv.hub.leave(c, k, name)
	delete(s.names[k], name)
	s.bytes -= nameBytes(name)
	c.shared.subscribed[k].Add(-1)
}

// unsubscribeAll ends all subscriptions. What was published before is still in the inbox.
func (c *conn) unsubscribeAll() {
	for k := range c.subs.names {
		for name := range c.subs.names[k] {
			c.unsubscribe(topicKind(k), name)
		}
	}
}

// subscriber reports whether the connection has subscriptions. Any goroutine may ask.
func (c *conn) subscriber() bool {
	for k := range c.shared.subscribed {
		if c.shared.subscribed[k].Load() > 0 {
			return true
		}
	}
	return false
}

// outputClass is the connection's class in client-output-buffer-limit.
func (c *conn) outputClass() config.ClientClass {
	if c.subscriber() {
		return config.PubSubClient
	}
	return config.NormalClient
}

// published is what the Writer asks when the reply to a message of this connection is written: where the log is applied,
// which has the connection meanwhile. If it is a subscriber itself it gets the message in front of the reply, as in Redis
// 7.0, but not inside EXEC's reply.
func (c *conn) published() (receivers int) {
	if c.reply == replyOn && !c.executing {
		c.takePushes(pipelineBytesGoal)
	}
	return c.srv.hub.receivers
}
