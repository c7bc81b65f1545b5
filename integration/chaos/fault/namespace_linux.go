package fault

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

const (
	bridge  = "hub"
	subnet  = "10.99.0"
	hubHost = 254 // this program's address; the nodes have their numbers
	nodeMax = 250

	respPort = "6379"
	raftPort = "7379"

	nftTable = "chaos"
	nftChain = "in"
	nftHook  = "{ type filter hook input priority 0; }"
)

// namespaces is a network namespace for each node, and a bridge in this program's own one, to which veth pairs lead. What
// nodes or clients lose is dropped on arrival by nft rules.
type namespaces struct{}

func newNetwork(isolated bool) (network, error) {
	if !isolated {
		return &loopback{}, nil
	}
	return namespaces{}, steps(
		words("ip", "link", "add", bridge, "type", "bridge"),
		words("ip", "addr", "add", host(hubHost)+"/24", "dev", bridge),
		words("ip", "link", "set", bridge, "up"),
		nft(clients, "add", "table", "inet", nftTable),
		nft(clients, "add", "chain", "inet", nftTable, nftChain, nftHook),
	)
}

// clients stands for this program, in which the clients are, as a place that can lose packets.
var clients = &Node{ID: clientsID, ip: host(hubHost)}

func (namespaces) clients() *Node { return clients }

func host(number int) string { return subnet + "." + strconv.Itoa(number) }

func words(w ...string) []string { return w }

// steps runs programs of the system one after the other.
func steps(commands ...[]string) error {
	for _, c := range commands {
		if err := tool(c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (namespaces) add(id string, number int) (ip, resp, raft string, err error) {
	if number > nodeMax {
		return "", "", "", fmt.Errorf("no more than %d nodes in one run", nodeMax)
	}
	ip = host(number)
	veth, node := "veth-"+id, &Node{ID: id}
	err = steps(
		words("ip", "netns", "add", id),
		words("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", id),
		words("ip", "link", "set", veth, "master", bridge, "up"),
		words("ip", "-n", id, "addr", "add", ip+"/24", "dev", "eth0"),
		words("ip", "-n", id, "link", "set", "eth0", "up"),
		words("ip", "-n", id, "link", "set", "lo", "up"),
		nft(node, "add", "table", "inet", nftTable),
		nft(node, "add", "chain", "inet", nftTable, nftChain, nftHook),
	)
	return ip, net.JoinHostPort(ip, respPort), net.JoinHostPort(ip, raftPort), err
}

// remove takes the namespace away, and the veth pair with it.
func (namespaces) remove(id string) error { return tool("ip", "netns", "delete", id) }

func (namespaces) enter(n *Node, command []string) []string {
	if n == clients {
		return command
	}
	return append(words("nsenter", "--net=/run/netns/"+n.ID, "--"), command...)
}

func nft(at *Node, args ...string) []string {
	return namespaces{}.enter(at, append(words("nft"), args...))
}

func (namespaces) drop(at, from *Node, percent int) error {
	rule := words("add", "rule", "inet", nftTable, nftChain, "ip", "saddr", from.ip)
	if percent < cut {
		rule = append(rule, "numgen", "random", "mod", "100", "<", strconv.Itoa(percent))
	}
	return steps(nft(at, append(rule, "drop")...))
}

func (namespaces) heal(nodes []*Node) error {
	var errs []error
	for _, n := range append([]*Node{clients}, nodes...) {
		errs = append(errs, steps(nft(n, "flush", "chain", "inet", nftTable, nftChain)))
	}
	return errors.Join(errs...)
}
