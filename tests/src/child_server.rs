//! Servers that tests start, of which each says where it listens.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Ends with this.
pub struct ChildServer {
    process: Child,
    port: u16,
}

impl ChildServer {
    /// A script in Python, whose first line of output is its port.
    pub fn of_script(script: &str, arguments: &[impl AsRef<OsStr>]) -> Self {
        Self::run(Command::new("python3").args(["-c", script]).args(arguments))
    }

    /// What this starts says its port in its first line of output.
    pub fn run(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { process, port }
    }

    /// Of this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whoever reads its input comes to the end of it.
    pub fn end_input(&mut self) {
        drop(self.process.stdin.take());
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
