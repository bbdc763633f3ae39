//! What people ordered that holds until they say otherwise, over restarts of the daemon.
//!
//! Invariant: an order says who gave it, and of one target there is one.

use crate::{actor::Actor, name::TargetName, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Every order that holds. Serialised as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// Targets that are kept stopped, in the order in which they were.
    #[serde(default)]
    pub stopped: Vec<StopOrder>,
}

/// A target is kept stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// Which.
    pub target: TargetName,
    /// Who ordered it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
    /// Why, as they said it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl StopOrder {
    /// For people, as `status` says it.
    pub fn words(&self) -> String {
        let actor = Actor {
            name: self.by.clone(),
            note: self.note.clone(),
        };
        match self.reason.trim() {
            "" => format!("stopped by {actor}"),
            reason => format!("stopped by {actor}: {reason}"),
        }
    }
}

impl Orders {
    /// This target is kept stopped from now on.
    pub fn stop(&mut self, order: StopOrder) {
        self.start(&order.target);
        self.stopped.push(order);
    }

    /// This target is not kept stopped any more.
    pub fn start(&mut self, target: &TargetName) {
        self.stopped.retain(|order| order.target != *target);
    }

    /// Only these targets are there any more; whether an order went with another one.
    pub fn keep_to(&mut self, is_there: impl Fn(&TargetName) -> bool) -> bool {
        let before = self.stopped.len();
        self.stopped.retain(|order| is_there(&order.target));
        self.stopped.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(target: &str, reason: &str) -> StopOrder {
        StopOrder {
            target: TargetName::parse(target).unwrap(),
            by: "root".to_owned(),
            note: None,
            reason: reason.to_owned(),
            at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn of_one_target_there_is_one_order_and_a_start_takes_it_back() {
        let mut orders = Orders::default();
        orders.stop(order("api", ""));
        orders.stop(order("db", ""));
        orders.stop(order("api", "moved"));
        assert_eq!(orders.stopped, [order("db", ""), order("api", "moved")]);
        orders.start(&order("api", "").target);
        assert_eq!(orders.stopped, [order("db", "")]);
        assert!(!orders.keep_to(|target| target.as_str() == "db"));
        assert!(orders.keep_to(|target| target.as_str() == "api"));
        assert_eq!(orders, Orders::default());
    }

    #[test]
    fn an_order_says_who_gave_it_and_why() {
        let noted = StopOrder {
            note: Some("anna".to_owned()),
            ..order("api", "moved")
        };
        assert_eq!(order("api", " ").words(), "stopped by root");
        assert_eq!(
            noted.words(),
            "stopped by root (who says: anna): moved"
        );
    }
}
