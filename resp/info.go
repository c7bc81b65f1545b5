package resp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// infoCommands is INFO, of Redis 7.0's server group.
var infoCommands = []entry{
	{Spec: command.Spec{
		Name: "info", Arity: -1, Flags: command.Loading | command.Stale, Group: "server", Since: "1.0.0", Categories: []string{"dangerous"},
		Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		Summary: "Describes the server, by sections.", Complexity: "O(1)",
	}, run: info},
}

// infoText gathers the lines of INFO.
type infoText struct{ strings.Builder }

// field writes "name:value".
func (t *infoText) field(name string, value any) {
	t.WriteString(name)
	t.WriteByte(':')
	switch v := value.(type) {
	case string:
		t.WriteString(v)
	case int64:
		t.WriteString(strconv.FormatInt(v, 10))
	case uint64:
		t.WriteString(strconv.FormatUint(v, 10))
	case int:
		t.WriteString(strconv.Itoa(v))
	default:
		fmt.Fprint(t, v)
	}
	t.WriteString("\r\n")
}

// zeros writes fields that are zero by the nature of this server: what they count does not exist here.
func (t *infoText) zeros(names ...string) {
	for _, n := range names {
		t.field(n, 0)
	}
}

// infoSection is one section of INFO.
type infoSection struct {
	name, title string
	// extra sections are part of all and everything, but not of default.
	extra bool
	write func(s *Server, t *infoText)
}

// infoSections stand in Redis 7.0's order, with ours at the end.
var infoSections = []infoSection{
	{"server", "Server", false, infoServer},
	{"clients", "Clients", false, infoClients},
	{"memory", "Memory", false, infoMemory},
	{"persistence", "Persistence", false, infoPersistence},
	{"stats", "Stats", false, infoStats},
	{"replication", "Replication", false, infoReplication},
	{"cpu", "CPU", false, infoCPU},
	{"modules", "Modules", false, func(*Server, *infoText) {}},
	{"commandstats", "Commandstats", true, infoCommandStats},
	{"errorstats", "Errorstats", false, infoErrorStats},
	{"latencystats", "Latencystats", true, infoLatencyStats},
	{"cluster", "Cluster", false, infoCluster},
	{"keyspace", "Keyspace", false, infoKeyspace},
	{"raft", "Raft", false, infoRaft},
}

// wants reports whether a word that INFO was sent takes a section in.
func (sec *infoSection) wants(word string) bool {
	switch word {
	case "default":
		return !sec.extra
	case "all", "everything":
		return true
	}
	return word == sec.name
}

func info(c *conn, args [][]byte) {
	words := []string{"default"}
	if len(args) > 1 {
		words = words[:0]
		for _, a := range args[1:] {
			words = append(words, strings.ToLower(string(a)))
		}
	}
	c.w.Verbatim("txt", c.srv.infoText(words))
}

// infoText is INFO's reply: each section that a word asks for, once, in the sections' order.
func (s *Server) infoText(words []string) string {
	var t infoText
	for i := range infoSections {
		sec := &infoSections[i]
		wanted := false
		for _, w := range words {
			wanted = wanted || sec.wants(w)
		}
		if !wanted {
			continue
		}
		if t.Len() > 0 {
			t.WriteString("\r\n")
		}
		t.WriteString("# " + sec.title + "\r\n")
		sec.write(s, &t)
	}
	return t.String()
}

// humanBytes prints a number of bytes as Redis does: two digits behind the point and a letter.
func humanBytes(n int64) string {
	const units = "BKMGTPE"
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	return strconv.FormatFloat(f, 'f', 2, 64) + units[u:u+1]
}

// ratio is a/b with two digits, 0.00 where b is nothing.
func ratio(a, b int64) string {
	if b <= 0 {
		return "0.00"
	}
	return strconv.FormatFloat(float64(a)/float64(b), 'f', 2, 64)
}

// percent is ratio in percent.
func percent(a, b int64) string { return ratio(100*a, b) + "%" }
