//! A wall clock that the campaign sets, for the daemon alone: a small library that is loaded before libc, built with the
//! C compiler that the program needs anyway.

use crate::Daemon;
use std::{fs, io::Write, os::unix::fs::FileExt, process::Command};

/// The clock of one daemon.
pub struct WallClock {
    file: fs::File,
}

impl WallClock {
    /// Has every later start of the daemon see this clock, which is right as yet.
    pub fn install(daemon: &mut Daemon) -> Self {
        let (source, library) = (daemon.path("clock.c"), daemon.path("clock.so"));
        fs::write(&source, include_str!("clock.c")).unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut compile = Command::new(&compiler);
        compile.args(["-shared", "-fPIC", "-O2", "-o"]);
        let status = compile.arg(&library).arg(&source).status();
        let status = status.unwrap_or_else(|error| panic!("there is no {compiler}: {error}"));
        assert!(status.success(), "the clock cannot be compiled");
        let path = daemon.path("clock");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&0_i64.to_ne_bytes()).unwrap();
        daemon.set_env("LD_PRELOAD", library.to_str().unwrap());
        daemon.set_env("SOAK_CLOCK", path.to_str().unwrap());
        Self { file }
    }

    /// Sets it, so many seconds ahead of the machine's.
    pub fn set(&self, ahead: i64) {
        self.file.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }
}
