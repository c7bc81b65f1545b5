package config

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientClass is a class of client-output-buffer-limit.
type ClientClass uint8

// The classes.
const (
	NormalClient ClientClass = iota
	ReplicaClient
	PubSubClient
	clientClasses
)

// OutputLimit bounds the replies that wait for one client. Zero bytes: no limit.
type OutputLimit struct {
	HardBytes int64         // disconnected at once
	SoftBytes int64         // disconnected after SoftTime above it
	SoftTime  time.Duration // whole seconds
}

type outputLimits [clientClasses]OutputLimit

var classNames = [clientClasses]string{"normal", "slave", "pubsub"} // as CONFIG GET prints them

// parseOutputLimits changes the classes that args name and keeps the others.
func parseOutputLimits(old *value, args []string) (*value, error) {
	if len(args)%4 != 0 {
		return nil, badValue("Wrong number of arguments in buffer limit configuration.")
	}
	v := &value{}
	if old != nil {
		v.limits = old.limits
	}
	for ; len(args) > 0; args = args[4:] {
		class, ok := parseClass(args[0])
		if !ok {
			return nil, badValue("Invalid client class specified in buffer limit configuration.")
		}
		hard, err1 := parseMemory(args[1])
		soft, err2 := parseMemory(args[2])
		seconds, err3 := strconv.ParseInt(args[3], 10, 32)
		if err1 != nil || err2 != nil || err3 != nil || seconds < 0 {
			return nil, badValue("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		v.limits[class] = OutputLimit{hard, soft, time.Duration(seconds) * time.Second}
	}
	parts := make([]string, clientClasses)
	for i, l := range v.limits {
		parts[i] = fmt.Sprintf("%s %d %d %d", classNames[i], l.HardBytes, l.SoftBytes, l.SoftTime/time.Second)
	}
	v.text = strings.Join(parts, " ")
	return v, nil
}

func parseClass(name string) (ClientClass, bool) {
	switch strings.ToLower(name) {
	case "normal":
		return NormalClient, true
	case "slave", "replica":
		return ReplicaClient, true
	case "pubsub":
		return PubSubClient, true
	}
	return 0, false
}

func outputLimitLines(v *value) []string {
	lines := make([]string, clientClasses)
	for i, l := range v.limits {
		name := classNames[i]
		if ClientClass(i) == ReplicaClient {
			name = "replica"
		}
		lines[i] = fmt.Sprintf("%s %s %s %d", name, memoryText(l.HardBytes), memoryText(l.SoftBytes), l.SoftTime/time.Second)
	}
	return lines
}

// parseSave reads pairs of seconds and changes; nothing or "" clears.
func parseSave(old *value, args []string) (*value, error) {
	const bad = badValue("Invalid save parameters")
	if len(args) == 0 || len(args) == 1 && args[0] == "" {
		return &value{}, nil
	}
	if len(args)%2 != 0 {
		return nil, bad
	}
	for i, a := range args {
		n, err := strconv.ParseInt(a, 10, 32)
		if err != nil || n < 0 || i%2 == 0 && n == 0 {
			return nil, bad
		}
	}
	if old != nil {
		args = slices.Concat(strings.Fields(old.text), args)
	}
	if len(args) > 2*savePointsMax {
		return nil, badValue("too many save points")
	}
	return &value{text: strings.Join(args, " ")}, nil
}

func saveLines(v *value) []string {
	f := strings.Fields(v.text)
	if len(f) == 0 {
		return []string{`""`}
	}
	var lines []string
	for i := 0; i+1 < len(f); i += 2 {
		lines = append(lines, f[i]+" "+f[i+1])
	}
	return lines
}

// The classes of keyspace events in the order in which Redis prints them; "A" stands for those before "n", which is
// why "An" reads back as "A" there, and here. EventLetters has them all.
const (
	eventClasses = "g$lshzxetdn"
	eventsInA    = "g$lshzxetd"
)

func parseEvents(_ *value, args []string) (*value, error) {
	in := strings.Join(args, "")
	for _, c := range in {
		if !strings.ContainsRune("A"+eventClasses+"KEm", c) {
			return nil, badValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
	}
	all := true
	for _, c := range eventsInA {
		all = all && strings.ContainsRune(in, c)
	}
	order := eventClasses + "KEm"
	if all || strings.Contains(in, "A") {
		in += "A"
		order = "AKEm"
	}
	var out strings.Builder
	for _, c := range order {
		if strings.ContainsRune(in, c) {
			out.WriteRune(c)
		}
	}
	letters := out.String()
	if order == "AKEm" && strings.Contains(in, "n") {
		letters += "n"
	}
	return &value{text: out.String(), letters: letters}, nil
}

func parsePercentiles(_ *value, args []string) (*value, error) {
	out := make([]string, len(args))
	for i, a := range args {
		f, err := strconv.ParseFloat(a, 64)
		if err != nil || math.IsNaN(f) {
			return nil, badValue("Invalid latency-tracking-info-percentiles parameters")
		}
		if f < 0 || f > 100 {
			return nil, badValue("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		out[i] = strconv.FormatFloat(f, 'g', 17, 64)
		if short := strconv.FormatFloat(f, 'f', -1, 64); len(short) < len(out[i]) {
			out[i] = short
		}
	}
	return &value{text: strings.Join(out, " "), words: out}, nil
}

func parseOOMValues(_ *value, args []string) (*value, error) {
	if len(args) != 3 {
		return nil, wrongArity
	}
	for _, a := range args {
		if n, err := strconv.Atoi(a); err != nil || n < -2000 || n > 2000 {
			return nil, badValue("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
	}
	return &value{text: strings.Join(args, " "), words: args}, nil
}

// parseReplicaOf reads "host port"; "no one" and nothing stand for none.
func parseReplicaOf(_ *value, args []string) (*value, error) {
	if len(args) == 0 || len(args) == 2 && strings.EqualFold(args[0], "no") && strings.EqualFold(args[1], "one") {
		return &value{}, nil
	}
	if len(args) != 2 {
		return nil, wrongArity
	}
	if n, err := strconv.Atoi(args[1]); err != nil || n < 1 || n > portMax {
		return nil, badValue("Invalid master port")
	}
	return &value{text: strings.Join(args, " "), words: args}, nil
}

const (
	portMax      = 65535
	bindAddrsMax = 16 // addresses, as in Redis
	joinAddrsMax = 64 // addresses
	// savePointsMax bounds the pairs of save.
	savePointsMax = 64
)

func checkBind(v *value) error {
	if len(v.words) == 0 {
		return badValue("argument must name at least one address")
	}
	if len(v.words) > bindAddrsMax {
		return badValue("Too many bind addresses specified.")
	}
	return nil
}

// checkAddr wants host:port, or nothing.
func checkAddr(v *value) error {
	if v.text == "" {
		return nil
	}
	return checkHostPort(v.text)
}

func checkHostPort(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		if n, e := strconv.ParseUint(port, 10, 16); e == nil && n <= portMax {
			return nil
		}
	}
	return badValue("argument must be host:port")
}

// parseJoin takes addresses separated by spaces or commas; nothing or "" clears.
func parseJoin(old *value, args []string) (*value, error) {
	v := &value{}
	if old != nil && len(args) > 0 {
		v.words = append(v.words, old.words...)
	}
	for _, a := range args {
		for addr := range strings.SplitSeq(a, ",") {
			if addr == "" {
				continue
			}
			if err := checkHostPort(addr); err != nil {
				return nil, err
			}
			v.words = append(v.words, addr)
		}
	}
	if len(v.words) > joinAddrsMax {
		return nil, badValue("too many addresses")
	}
	v.text = strings.Join(v.words, " ")
	return v, nil
}

// expandRespAddr turns host:port into bind and port. No host stands for every address.
func expandRespAddr(addr string) ([][2]string, error) {
	if err := checkHostPort(addr); err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(addr)
	if host == "" {
		host = "*"
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return [][2]string{{"bind", host}, {"port", strconv.FormatUint(n, 10)}}, nil
}

// respAddr puts the shorthand together again: the first address and the port.
func (c *Config) respAddr() string {
	host := strings.TrimPrefix(c.Words("bind")[0], "-")
	return net.JoinHostPort(host, c.String("port"))
}

func maxLen(n int) func(*value) error {
	return func(v *value) error {
		if len(v.text) > n {
			return badValue("argument is longer than " + strconv.Itoa(n) + " bytes")
		}
		return nil
	}
}

func checkFileName(v *value) error {
	if strings.ContainsAny(v.text, `/\`) {
		return badValue("dbfilename can't be a path, just a filename")
	}
	return nil
}

func checkHostname(v *value) error {
	for _, c := range v.text {
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return badValue("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}

func checkShutdown(v *value) error {
	if strings.Contains(" "+v.text+" ", " save ") && strings.Contains(v.text, "nosave") {
		return badValue("shutdown options SAVE and NOSAVE can't be used simultaneously")
	}
	return nil
}

func checkStaysNo(v *value) error {
	if v.num != 0 {
		return badValue("argument must be 'no': it is not supported here")
	}
	return nil
}

// clampHz keeps the timer frequency within what Redis runs at.
func clampHz(n int64) int64 { return min(max(n, 1), 500) }
