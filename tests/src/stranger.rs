//! Somebody who has the port of a service.

use crate::wait_for;
use std::{
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Takes every connection on a port of 127.0.0.1, and says nothing; leaves when it is dropped.
pub struct Stranger {
    is_over: Arc<AtomicBool>,
    port: u16,
}

impl Stranger {
    /// Waits until nobody has the port.
    pub fn take(port: u16) -> Self {
        let listener = wait_for("the port", || {
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                if seen.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { is_over, port }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
