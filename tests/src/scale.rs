//! Configs of as many targets as one likes, for tests and benches of what grows with them.

use crate::HOST;
use std::{fs, path::Path};

/// How the targets of a large config are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each target has a check and depends on the one before; one route takes every failure.
    Chained,
    /// As [`Shape::Chained`], and each target has a failure and a route of its own.
    Routed,
    /// As [`Shape::Chained`], without a route: a warning about each target.
    Unrouted,
    /// As [`Shape::Chained`], each target in a file of its own below `conf.d`.
    Dropped,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 4] = [
        Shape::Chained,
        Shape::Routed,
        Shape::Unrouted,
        Shape::Dropped,
    ];

    /// The word for a table's row.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Chained => "chained",
            Shape::Routed => "a route each",
            Shape::Unrouted => "no route",
            Shape::Dropped => "a file each",
        }
    }
}

/// The main file of a config with so many targets.
pub fn config(targets: usize, shape: Shape) -> String {
    let mut text = HOST.to_owned();
    if matches!(shape, Shape::Chained | Shape::Dropped) {
        text.push_str(&route(""));
    }
    if shape == Shape::Dropped {
        return text;
    }
    for number in 0..targets {
        text.push_str(&target(number, shape));
    }
    if shape == Shape::Routed {
        for number in 0..targets {
            let asks = format!("failure = \"down-{number}\"\ntarget = \"target-{number}\"\n");
            text.push_str(&route(&asks));
        }
    }
    text
}

/// Writes a config with so many targets into a directory, with what it needs; the plugin directory is empty.
pub fn write(directory: &Path, targets: usize, shape: Shape) {
    fs::create_dir_all(directory.join("plugins")).unwrap();
    fs::write(directory.join("mainstay.toml"), config(targets, shape)).unwrap();
    if shape == Shape::Dropped {
        let drop_ins = directory.join("conf.d");
        fs::create_dir_all(&drop_ins).unwrap();
        for number in 0..targets {
            let file = drop_ins.join(format!("{number:07}.toml"));
            fs::write(file, target(number, shape)).unwrap();
        }
    }
}

/// A foreign service; nothing listens where it is looked for.
fn target(number: usize, shape: Shape) -> String {
    let depends_on = match number.checked_sub(1) {
        Some(before) => format!("depends_on = [\"target-{before}\"]\n"),
        None => String::new(),
    };
    let failure = match shape {
        Shape::Routed => format!("down-{number}"),
        _ => "service-down".to_owned(),
    };
    format!(
        r#"
[[target]]
name = "target-{number}"
{depends_on}
[[target.check]]
kind = "tcp"
address = "127.0.0.1:9"
every = "60s"
failure = "{failure}"
"#
    )
}

fn route(asks: &str) -> String {
    format!("\n[[route]]\n{asks}chain = [{{ handler = \"restart-service\" }}]\n")
}
