//! The examples of this repository whose services are stand-ins, each in a directory of its own and on ports of its own.

use crate::{Daemon, free_port, repository};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

/// What an example is made of; what a run of it leaves behind is none of it.
const KINDS: [&str; 4] = ["env", "json", "py", "toml"];

/// For each port that an example names one that is free now.
pub fn free_ports(named: &[u16]) -> BTreeMap<u16, u16> {
    let mut taken = BTreeSet::new();
    let mut ports = BTreeMap::new();
    while let Some(port) = named.get(ports.len()) {
        let free = free_port();
        if taken.insert(free) {
            ports.insert(*port, free);
        }
    }
    ports
}

/// What a stand-in answers to GET; what is wrong where it does not.
pub fn get_json(port: u16, path: &str) -> Result<Value, String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n");
    let mut answer = String::new();
    let read = socket
        .write_all(request.as_bytes())
        .and_then(|()| socket.read_to_string(&mut answer));
    read.map_err(|error| error.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(&answer)?;
    serde_json::from_str(body).map_err(|error| format!("{error}: {answer}"))
}

impl Daemon {
    /// The example of this name, with this file of it as the config, and these ports. Nothing runs yet.
    pub fn prepare_example(name: &str, config: &str, ports: &BTreeMap<u16, u16>) -> Self {
        let example = repository().join("examples").join(name);
        let config = fs::read_to_string(example.join(config)).unwrap();
        let daemon = Self::prepare(&on_ports(config, ports));
        copy(&example, daemon.directory.path(), ports);
        fs::create_dir_all(daemon.path("alerts")).unwrap();
        daemon
    }
}

fn copy(from: &Path, into: &Path, ports: &BTreeMap<u16, u16>) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = into.join(path.file_name().unwrap());
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            copy(&path, &target, ports);
        } else if kind.is_some_and(|kind| KINDS.contains(&kind)) {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(target, on_ports(text, ports)).unwrap();
        }
    }
}

/// Puts the free ports in place of those that the files of this example name.
pub(crate) fn on_ports_in(example: &Path, ports: &BTreeMap<u16, u16>) {
    copy(example, example, ports);
}

/// The text with the free ports in place of those that it names.
fn on_ports(mut text: String, ports: &BTreeMap<u16, u16>) -> String {
    // By way of a mark: a free port may hold the digits of a named one.
    for named in ports.keys() {
        text = text.replace(&named.to_string(), &format!("<{}>", named % 1_000));
    }
    for (named, free) in ports {
        text = text.replace(&format!("<{}>", named % 1_000), &free.to_string());
    }
    text
}
