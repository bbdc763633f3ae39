//! What the hosts that work together know of one another, and what they decide together [seed 001].
//!
//! Invariant: a quorum is more than half of the members, however many of them have voted: who hears nobody but itself
//! decides nothing, unless it is the only member [seed 001, its defect].

use crate::{
    breaker::CircuitState, fallback_mode::FallbackMode, health::Health, host_health::HostHealth,
};
use std::{collections::BTreeMap, time::Duration};

/// What a node says of itself when it is heard.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeBeat {
    /// What it calls itself.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// How it does.
    pub health: HostHealth,
    /// The mode in which it works.
    pub mode: FallbackMode,
}

/// Work that one of the nodes is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// What tells it from other work: work of one key is done once.
    pub key: String,
    /// What is to be done.
    pub what: String,
}

/// Whether a node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// It does.
    Live,
    /// It has left, or not begun yet.
    Left,
}

/// One node, as the others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeInfo {
    /// What it calls itself.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// Whether it takes part.
    pub state: NodeState,
    /// Whether it leads.
    pub is_leader: bool,
    /// How its targets are as one.
    pub health: Health,
    /// The same as a number from 0 to 1 [seed 001]: healthy 1, degraded 0.6, failed 0, unknown 0.5.
    pub health_score: f64,
    /// The mode in which it works.
    pub mode: FallbackMode,
    /// How long ago it was heard; none where it never was.
    pub last_seen: Option<Duration>,
}

/// What one node would have decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVote {
    /// Whose vote it is.
    pub node: String,
    /// The worst of its circuits.
    pub circuit: CircuitState,
    /// The mode in which it works.
    pub mode: FallbackMode,
}

/// Where the circuits of all nodes stand, as they decided together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterCircuit {
    /// Most say that they are closed.
    Closed,
    /// Most say that one is open.
    Open,
    /// Most say that one is half-open.
    HalfOpen,
    /// Too few have said anything.
    Unknown,
    /// No answer has more than half of the votes.
    SplitBrain,
}

/// What the nodes decided together.
#[derive(Debug, Clone, PartialEq)]
pub struct Consensus {
    /// Where the circuits stand.
    pub circuit: ClusterCircuit,
    /// The mode in which all work.
    pub mode: FallbackMode,
    /// Who leads; none where nobody does.
    pub leader: Option<String>,
    /// Whether more than half of the members have voted.
    pub quorum_met: bool,
    /// How many have.
    pub voting: usize,
    /// The share of the votes that agree on the circuits, from 0 to 1.
    pub strength: f64,
}

impl Consensus {
    /// What these votes of so many members come to. Of several votes of one node the last one counts. Without a quorum,
    /// or without a majority of the votes, the mode is [`FallbackMode::Safe`].
    pub fn of(votes: &[NodeVote], members: usize, leader: Option<String>) -> Self {
        let votes: BTreeMap<&str, &NodeVote> = votes
            .iter()
            .map(|vote| (vote.node.as_str(), vote))
            .collect();
        let voting = votes.len();
        let quorum_met = voting * 2 > members && voting > 0;
        if !quorum_met {
            return Self {
                circuit: ClusterCircuit::Unknown,
                mode: FallbackMode::Safe,
                leader,
                quorum_met,
                voting,
                strength: 0.0,
            };
        }
        let with = |circuit: CircuitState| {
            let same = votes.values().filter(|vote| vote.circuit == circuit);
            same.count()
        };
        let circuits = [
            (ClusterCircuit::Closed, with(CircuitState::Closed)),
            (ClusterCircuit::Open, with(CircuitState::Open)),
            (ClusterCircuit::HalfOpen, with(CircuitState::HalfOpen)),
        ];
        let most = circuits.into_iter().max_by_key(|(_, count)| *count);
        let (circuit, agreeing) = most.unwrap_or((ClusterCircuit::Unknown, 0));
        let has_majority = |count: usize| count * 2 > voting;
        let mode = FallbackMode::ALL.into_iter().find(|mode| {
            let same = votes.values().filter(|vote| vote.mode == *mode);
            has_majority(same.count())
        });
        #[allow(
            clippy::cast_precision_loss,
            reason = "there are not so many nodes anywhere"
        )]
        let strength = agreeing as f64 / voting as f64;
        match has_majority(agreeing) {
            true => Self {
                circuit,
                mode: mode.unwrap_or(FallbackMode::Safe),
                leader,
                quorum_met,
                voting,
                strength,
            },
            false => Self {
                circuit: ClusterCircuit::SplitBrain,
                mode: FallbackMode::Safe,
                leader,
                quorum_met,
                voting,
                strength,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vote(node: usize, circuit: CircuitState, mode: FallbackMode) -> NodeVote {
        NodeVote {
            node: format!("node-{node}"),
            circuit,
            mode,
        }
    }

    fn closed(node: usize) -> NodeVote {
        vote(node, CircuitState::Closed, FallbackMode::Primary)
    }

    fn open(node: usize) -> NodeVote {
        vote(node, CircuitState::Open, FallbackMode::Heuristic)
    }

    /// Trap 2 of the seeds' systems: a quorum was counted over the votes that came, so there always was one.
    #[test]
    fn a_quorum_is_of_the_members_and_not_of_the_votes() {
        let check = |votes: &[NodeVote], members: usize, expected: ClusterCircuit| {
            let decided = Consensus::of(votes, members, None);
            assert_eq!(decided.circuit, expected, "{votes:?} of {members}");
            let is_known = expected != ClusterCircuit::Unknown;
            assert_eq!(decided.quorum_met, is_known, "{votes:?} of {members}");
        };
        check(&[], 0, ClusterCircuit::Unknown);
        check(&[], 1, ClusterCircuit::Unknown);
        check(&[closed(1)], 1, ClusterCircuit::Closed);
        check(&[closed(1)], 5, ClusterCircuit::Unknown);
        // Half is not more than half.
        check(&[closed(1), closed(2)], 4, ClusterCircuit::Unknown);
        check(&[closed(1), closed(2)], 3, ClusterCircuit::Closed);
        // The same node twice is one.
        check(&[closed(1), closed(1)], 3, ClusterCircuit::Unknown);
    }

    #[test]
    fn without_a_majority_the_nodes_are_split_and_safe() {
        let decided = Consensus::of(&[closed(1), open(2)], 2, Some("node-1".to_owned()));
        assert_eq!(decided.circuit, ClusterCircuit::SplitBrain);
        assert_eq!(decided.mode, FallbackMode::Safe);
        assert!((decided.strength - 0.5).abs() < 1e-9);
        let decided = Consensus::of(&[open(1), open(2), closed(3)], 3, None);
        assert_eq!(decided.circuit, ClusterCircuit::Open);
        assert_eq!(decided.mode, FallbackMode::Heuristic);
        assert!((decided.strength - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn one_member_decides_as_it_is() {
        let decided = Consensus::of(&[open(1)], 1, Some("node-1".to_owned()));
        assert_eq!(
            decided,
            Consensus {
                circuit: ClusterCircuit::Open,
                mode: FallbackMode::Heuristic,
                leader: Some("node-1".to_owned()),
                quorum_met: true,
                voting: 1,
                strength: 1.0,
            }
        );
    }

    proptest! {
        /// Whatever is decided, no other part of the members can decide something else at the same time.
        #[test]
        fn two_parts_of_the_members_never_both_have_a_quorum(members in 0_usize..12, first in 0_usize..12) {
            let first = first.min(members);
            let part = |nodes: std::ops::Range<usize>| {
                let votes: Vec<NodeVote> = nodes.map(closed).collect();
                Consensus::of(&votes, members, None).quorum_met
            };
            prop_assert!(!(part(0..first) && part(first..members)));
        }
    }
}
