//! Which orders are cancelled and which positions are no positions.

use serde::Deserialize;
use serde_json::{Map, Value};

/// So many ids are named, and the others counted.
const NAMED: usize = 10;
/// What makes a position.
const WANTED: [&str; 3] = ["symbol", "quantity", "entry_price"];

/// What `GET /orders` gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Orders {
    orders: Vec<Order>,
}

#[derive(Debug, Deserialize)]
struct Order {
    id: Value,
    status: String,
}

impl Orders {
    /// The ids of those whose status is one that is pending.
    pub(crate) fn pending(self, is_pending: impl Fn(&str) -> bool) -> Vec<Value> {
        let orders = self.orders.into_iter();
        orders
            .filter(|order| is_pending(&order.status))
            .map(|order| order.id)
            .collect()
    }
}

/// What `GET /positions` gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Positions {
    positions: Vec<Map<String, Value>>,
}

/// A position that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Absent where it has none, so that nobody can name it to the engine.
    pub(crate) id: Option<Value>,
    /// What it lacks.
    pub(crate) lacks: Vec<&'static str>,
}

impl Invalid {
    /// It and what it lacks, for people.
    pub(crate) fn shown(&self) -> String {
        let id = match &self.id {
            Some(id) => shown(id),
            None => "one without an id".to_owned(),
        };
        format!("{id} (no {})", self.lacks.join(", no "))
    }
}

impl Positions {
    /// Those without symbol, quantity or entry price.
    pub(crate) fn invalid(&self) -> Vec<Invalid> {
        let found = self.positions.iter().filter_map(|position| {
            let lacks: Vec<&str> = WANTED
                .into_iter()
                .filter(|name| !is_there(name, position.get(*name)))
                .collect();
            let id = position.get("id").filter(|id| is_id(id)).cloned();
            (!lacks.is_empty()).then_some(Invalid { id, lacks })
        });
        found.collect()
    }
}

fn is_id(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        other => other.is_number(),
    }
}

fn is_there(name: &str, value: Option<&Value>) -> bool {
    let is_number = name != "symbol";
    match value {
        Some(Value::Number(_)) => is_number,
        // Decimals are often written as text, so that none is rounded.
        Some(Value::String(text)) if is_number => {
            text.trim().parse::<f64>().is_ok_and(f64::is_finite)
        }
        Some(Value::String(text)) => !text.trim().is_empty(),
        _ => false,
    }
}

/// What is posted about some ids.
pub(crate) fn body(ids: &[Value], reason: &str) -> String {
    let members = [
        ("ids".to_owned(), Value::from(ids.to_vec())),
        ("reason".to_owned(), Value::from(reason)),
    ];
    Value::Object(members.into_iter().collect()).to_string()
}

/// An id, for people.
fn shown(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Ids, for people.
pub(crate) fn listed(ids: &[Value]) -> String {
    listing(ids.iter().map(shown).collect())
}

/// The first of some texts, and how many others there are.
pub(crate) fn listing(mut texts: Vec<String>) -> String {
    let others = texts.len().saturating_sub(NAMED);
    texts.truncate(NAMED);
    let text = texts.join(", ");
    match others {
        0 => text,
        _ => format!("{text} and {others} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn invalid(positions: Value) -> Vec<String> {
        let positions = json!({ "positions": positions });
        let positions: Positions = serde_json::from_value(positions).unwrap();
        positions.invalid().iter().map(Invalid::shown).collect()
    }

    #[test]
    fn a_position_has_symbol_quantity_and_entry_price() {
        let whole =
            json!({"id": "p", "symbol": "BTC-USD", "quantity": -0.5, "entry_price": "61000.10"});
        assert_eq!(invalid(json!([whole])), Vec::<String>::new());
        for (name, value) in [
            ("symbol", Value::Null),
            ("symbol", json!("  ")),
            ("symbol", json!(7)),
            ("quantity", Value::Null),
            ("quantity", json!("many")),
            ("quantity", json!("NaN")),
            ("quantity", json!([1])),
            ("entry_price", json!(true)),
            ("entry_price", json!("")),
        ] {
            let mut broken = whole.clone();
            broken[name] = value.clone();
            assert_eq!(
                invalid(json!([broken])),
                [format!("p (no {name})")],
                "{value}"
            );
            broken.as_object_mut().unwrap().remove(name);
            assert_eq!(invalid(json!([broken, whole])), [format!("p (no {name})")]);
        }
    }

    #[test]
    fn all_that_is_lacking_is_named_and_so_is_one_without_an_id() {
        let found =
            invalid(json!([{"id": 7}, {"quantity": 1, "symbol": "X"}, {"id": "", "symbol": "X"}]));
        assert_eq!(
            found,
            [
                "7 (no symbol, no quantity, no entry_price)",
                "one without an id (no entry_price)",
                "one without an id (no quantity, no entry_price)"
            ]
        );
    }

    #[test]
    fn orders_of_a_pending_status_are_taken_in_their_order() {
        let orders = json!({"orders": [
            {"id": "o1", "status": "pending", "symbol": "X"},
            {"id": 2, "status": "filled"},
            {"id": 3, "status": "pending"},
            {"id": "o4", "status": "PENDING"},
        ]});
        let orders: Orders = serde_json::from_value(orders).unwrap();
        let pending = orders.pending(|status| status == "pending");
        assert_eq!(pending, [json!("o1"), json!(3)]);
        assert_eq!(body(&pending, "why"), r#"{"ids":["o1",3],"reason":"why"}"#);
    }

    #[test]
    fn of_many_ids_the_first_are_named() {
        let ids: Vec<Value> = (1..=12).map(Value::from).collect();
        assert_eq!(listed(&ids), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
        assert_eq!(listed(&ids[..2]), "1, 2");
    }
}
