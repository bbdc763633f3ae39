//! How the hosts that work together know of one another, and share work and decisions [seed 001].

use super::Boxed;
use mainstay_domain::coordination::{Consensus, NodeBeat, NodeInfo, Work};

/// Why a coordinator did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoordinationError {
    /// The node takes no part.
    #[error(
        "this node takes no part in coordination: it has not begun to, or has left; the daemon does so while it runs"
    )]
    NotStarted,
}

/// What several hosts do together. One that works alone has it too, and is all of its nodes.
pub trait Coordinator: Send + Sync {
    /// The node takes part from now on, with what it says of itself. Once more is the same.
    fn startup(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>>;
    /// It does not any more, and leads nobody. Once more is the same.
    fn shutdown(&self) -> Boxed<'_, Result<(), CoordinationError>>;
    /// Asks to lead; whether it does now.
    fn elect_leader(&self) -> Boxed<'_, Result<bool, CoordinationError>>;
    /// Gives work to a node; which one has it.
    fn assign_work(&self, work: Work) -> Boxed<'_, Result<String, CoordinationError>>;
    /// The node lives, and says how it does.
    fn heartbeat(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>>;
    /// Every node that is known, those that have left too.
    fn get_nodes(&self) -> Boxed<'_, Result<Vec<NodeInfo>, CoordinationError>>;
    /// What the nodes decided together, by what each said last.
    fn get_consensus(&self) -> Boxed<'_, Result<Consensus, CoordinationError>>;
}
