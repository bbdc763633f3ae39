//! The coordinator of a host that works alone [seed 001]: it is the only node, leads, and does all work itself.
//!
//! Invariant: a node that has left leads nobody [seed 001, its defect]; work that is given to it is not kept here, for it is
//! done by who gave it.

use crate::ports::{Boxed, Clock, CoordinationError, Coordinator};
use mainstay_domain::{
    coordination::{Consensus, NodeBeat, NodeInfo, NodeState, NodeVote, Work},
    host_health::score_of,
    time::Monotonic,
};
use parking_lot::Mutex;
use std::{future::ready, sync::Arc};

/// The only member is all of them.
const MEMBERS: usize = 1;

/// The coordinator of one host.
pub struct LocalCoordinator {
    clock: Arc<dyn Clock>,
    node: Mutex<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// What it said of itself last, and when.
    last: Option<(NodeBeat, Monotonic)>,
    is_live: bool,
    is_leader: bool,
}

impl LocalCoordinator {
    /// One that has not begun.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            node: Mutex::default(),
        }
    }
}

impl Node {
    /// Its name, where it takes part.
    fn name(&self) -> Result<String, CoordinationError> {
        match &self.last {
            Some((beat, _)) if self.is_live => Ok(beat.name.clone()),
            _ => Err(CoordinationError::NotStarted),
        }
    }
}

impl Coordinator for LocalCoordinator {
    fn startup(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        let mut node = self.node.lock();
        node.last = Some((beat, self.clock.monotonic()));
        node.is_live = true;
        Box::pin(ready(Ok(())))
    }

    fn shutdown(&self) -> Boxed<'_, Result<(), CoordinationError>> {
        let mut node = self.node.lock();
        node.is_live = false;
        node.is_leader = false;
        Box::pin(ready(Ok(())))
    }

    fn elect_leader(&self) -> Boxed<'_, Result<bool, CoordinationError>> {
        let mut node = self.node.lock();
        let elected = node.name().map(|_| true);
        node.is_leader = elected.is_ok();
        Box::pin(ready(elected))
    }

    fn assign_work(&self, _work: Work) -> Boxed<'_, Result<String, CoordinationError>> {
        let name = self.node.lock().name();
        Box::pin(ready(name))
    }

    fn heartbeat(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        let mut node = self.node.lock();
        let heard = node.name().map(|_| ());
        if heard.is_ok() {
            node.last = Some((beat, self.clock.monotonic()));
        }
        Box::pin(ready(heard))
    }

    fn get_nodes(&self) -> Boxed<'_, Result<Vec<NodeInfo>, CoordinationError>> {
        let node = self.node.lock();
        let info = node.last.as_ref().map(|(beat, at)| NodeInfo {
            name: beat.name.clone(),
            version: beat.version.clone(),
            state: match node.is_live {
                true => NodeState::Live,
                false => NodeState::Left,
            },
            is_leader: node.is_leader,
            health: beat.health.system(),
            health_score: score_of(beat.health.system()),
            mode: beat.mode,
            last_seen: Some(self.clock.monotonic().since(*at)),
        });
        let nodes: Vec<NodeInfo> = info.into_iter().collect();
        Box::pin(ready(Ok(nodes)))
    }

    fn get_consensus(&self) -> Boxed<'_, Result<Consensus, CoordinationError>> {
        let node = self.node.lock();
        let live = node.last.as_ref().filter(|_| node.is_live);
        let votes: Vec<NodeVote> = live
            .map(|(beat, _)| NodeVote {
                node: beat.name.clone(),
                circuit: beat.health.circuit(),
                mode: beat.mode,
            })
            .into_iter()
            .collect();
        let leader = live.filter(|_| node.is_leader);
        let leader = leader.map(|(beat, _)| beat.name.clone());
        let consensus = Consensus::of(&votes, MEMBERS, leader);
        Box::pin(ready(Ok(consensus)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{
        breaker::CircuitState, coordination::ClusterCircuit, fallback_mode::FallbackMode,
        health::Health, host_health::HostHealth, time::Timestamp,
    };
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    /// Goes when it is told to.
    #[derive(Default)]
    struct HandClock(AtomicU64);

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        fn monotonic(&self) -> Monotonic {
            Monotonic::from_start(Duration::from_millis(self.0.load(Ordering::SeqCst)))
        }
        fn with_suspension(&self) -> Monotonic {
            self.monotonic()
        }
    }

    fn beat(health: Health, circuit: CircuitState, mode: FallbackMode) -> NodeBeat {
        NodeBeat {
            name: "db1".to_owned(),
            version: "0.1.0".to_owned(),
            health: HostHealth::of([(health, circuit)], 0),
            mode,
        }
    }

    fn well() -> NodeBeat {
        beat(Health::Healthy, CircuitState::Closed, FallbackMode::Primary)
    }

    fn work() -> Work {
        Work {
            key: "bak-1".to_owned(),
            what: "verify".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_host_alone_leads_does_its_work_and_decides_as_it_is() {
        let clock = Arc::new(HandClock::default());
        let local = LocalCoordinator::new(clock.clone());
        local.startup(well()).await.unwrap();
        assert!(!local.get_nodes().await.unwrap()[0].is_leader);
        assert!(local.elect_leader().await.unwrap());
        assert_eq!(local.assign_work(work()).await.unwrap(), "db1");
        for (health, circuit, mode, score) in [
            (
                Health::Healthy,
                CircuitState::Closed,
                FallbackMode::Primary,
                1.0,
            ),
            (
                Health::Degraded,
                CircuitState::HalfOpen,
                FallbackMode::Primary,
                0.6,
            ),
            (
                Health::Failed,
                CircuitState::Open,
                FallbackMode::Heuristic,
                0.0,
            ),
            (
                Health::Unknown,
                CircuitState::Closed,
                FallbackMode::Safe,
                0.5,
            ),
        ] {
            local.heartbeat(beat(health, circuit, mode)).await.unwrap();
            clock.0.fetch_add(1_500, Ordering::SeqCst);
            let nodes = local.get_nodes().await.unwrap();
            assert_eq!(
                nodes,
                [NodeInfo {
                    name: "db1".to_owned(),
                    version: "0.1.0".to_owned(),
                    state: NodeState::Live,
                    is_leader: true,
                    health,
                    health_score: score,
                    mode,
                    last_seen: Some(Duration::from_millis(1_500)),
                }]
            );
            let decided = local.get_consensus().await.unwrap();
            assert_eq!(decided.mode, mode);
            assert_eq!(decided.leader.as_deref(), Some("db1"));
            assert_eq!((decided.quorum_met, decided.voting), (true, 1));
            assert!((decided.strength - 1.0).abs() < 1e-9);
        }
    }

    #[tokio::test]
    async fn who_has_not_begun_or_has_left_leads_nobody_and_decides_nothing() {
        let local = LocalCoordinator::new(Arc::new(HandClock::default()));
        let check_idle = async || {
            let error = CoordinationError::NotStarted;
            assert_eq!(local.elect_leader().await, Err(error.clone()));
            assert_eq!(local.assign_work(work()).await, Err(error.clone()));
            assert_eq!(local.heartbeat(well()).await, Err(error));
            let decided = local.get_consensus().await.unwrap();
            assert_eq!(decided.circuit, ClusterCircuit::Unknown);
            assert_eq!(decided.mode, FallbackMode::Safe);
            assert_eq!((decided.leader, decided.quorum_met), (None, false));
        };
        check_idle().await;
        assert!(local.get_nodes().await.unwrap().is_empty());
        local.startup(well()).await.unwrap();
        local.elect_leader().await.unwrap();
        local.shutdown().await.unwrap();
        check_idle().await;
        let nodes = local.get_nodes().await.unwrap();
        assert_eq!(nodes[0].state, NodeState::Left);
        assert!(!nodes[0].is_leader);
    }
}
