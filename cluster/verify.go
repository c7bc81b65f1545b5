package cluster

import (
	"fmt"

	"github.com/redoubtdb/redoubt/transport"
)

// VerifyPeer is asked by the transport of every node that connects or is connected to: nodes of another cluster, and
// nodes that lost their data and came back under their old id, are kept out, so that neither can vote.
//
// What this node has applied may be old: it may have missed that the peer was removed and let in again with new data, and
// that very peer may be the leader that it has to catch up from. So unless this node serves as the leader, a peer that
// has recorded this cluster's id passes: only a node that a leader let in gets to know it. Conversely nothing may be
// applied yet (a restart without a snapshot), but a voter without a cluster id has surely lost what it voted with.
// What this node does know for certain, whoever leads, is that data of a node were given up for others of the same node:
// the log tells in which order.
func (n *Node) VerifyPeer(peer transport.Identity) error {
	own := n.cfg.Storage.ClusterID()
	m, known := n.machine.Member(peer.NodeID)
	switch {
	case own != "" && peer.ClusterID != "" && own != peer.ClusterID:
		return fmt.Errorf("node %s belongs to cluster %s, this is cluster %s", peer.NodeID, peer.ClusterID, own)
	case peer.NodeID == n.cfg.NodeID:
		return fmt.Errorf("node id %s is taken by this node", peer.NodeID)
	case known && m.Instance == peer.Instance:
		return nil
	case known && n.machine.Retired(peer.Instance):
		return fmt.Errorf("node %s was removed and let in again with other data since: the data directory of instance %s is out of date", peer.NodeID, peer.Instance)
	case own != "" && peer.ClusterID == own && !n.Leading():
		return nil
	case known, own != "" && peer.ClusterID == "" && n.Voters()[peer.NodeID]:
		return fmt.Errorf("node %s is known with other data: its data directory was lost or replaced; remove it from the cluster and join it again", peer.NodeID)
	}
	return nil
}
