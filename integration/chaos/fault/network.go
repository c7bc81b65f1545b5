package fault

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// network is where the nodes' ports are.
type network interface {
	// add makes a place for a node and returns the addresses that it has there.
	add(id string, number int) (ip, resp, raft string, err error)
	remove(id string) error
	// enter turns a command into one that runs in a node's place.
	enter(n *Node, command []string) []string
	// clients is where the clients are: what drop takes beside nodes.
	clients() *Node
	// drop has a node lose a percentage (1 to 100) of what arrives from another one. heal ends all losses.
	drop(at, from *Node, percent int) error
	heal(nodes []*Node) error
}

const clientsID = "clients"

// loopback is the network of all nodes where there are no namespaces. Nothing can be cut there.
type loopback struct{ ports portPicker }

func (l *loopback) add(string, int) (ip, resp, raft string, err error) {
	if resp, err = l.ports.pick(); err != nil {
		return "", "", "", err
	}
	raft, err = l.ports.pick()
	return "127.0.0.1", resp, raft, err
}

func (l *loopback) clients() *Node                           { return &Node{ID: clientsID} }
func (l *loopback) remove(string) error                      { return nil }
func (l *loopback) enter(_ *Node, command []string) []string { return command }
func (l *loopback) heal([]*Node) error                       { return nil }
func (l *loopback) drop(*Node, *Node, int) error             { return errNoNamespaces }

var errNoNamespaces = errors.New("the nodes share loopback: nothing can be cut")

// Ports lie below those that the system gives to outgoing connections, so that none is taken while a node is down.
const (
	portMin = 20000
	portMax = 32000
)

type portPicker struct {
	mu   sync.Mutex
	next int
}

// pick finds a loopback address that nobody listens on and that was not picked before.
func (p *portPicker) pick() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = max(p.next, portMin)
	for ; p.next < portMax; p.next++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.next))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		p.next++
		return addr, l.Close()
	}
	return "", fmt.Errorf("no free port from %d to %d", portMin, portMax)
}
