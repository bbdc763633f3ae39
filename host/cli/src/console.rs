//! Lines for people on the standard streams, best effort: nobody may be there to read them.
//!
//! Invariant: nothing that is written here fails, panics or ends anything. A full disk, a pipe whose reader has gone and
//! a closed stream lose lines and nothing else, where `println!` and `eprintln!` would panic.
//! Invariant: who logs through a [`LogQueue`] never waits, not even where the reader has stopped reading; what its
//! thread is too slow for is left out and counted.
//! Invariant: what others wrote into a line of the log, names of files say, begins no line that looks like one of the log's.

use std::{
    fmt::Display,
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Log lines that may wait for the stream.
const QUEUE_LENGTH: usize = 8_192;

/// How long the last words of a program are waited for.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Writes what a program says before it ends to standard error; it ends even where the reader has stopped reading.
pub fn write_final(text: Vec<u8>) {
    let (written, heard) = sync_channel(1);
    let saying = thread::Builder::new().spawn(move || {
        let _ = io::stderr().write_all(&text);
        let _ = written.try_send(());
    });
    if saying.is_ok() {
        let _ = heard.recv_timeout(LAST_WORDS);
    }
}

/// Writes a line to standard error.
pub fn note(line: impl Display) {
    write_line(&mut io::stderr(), &line);
}

/// Writes a line to standard output.
pub fn print(line: impl Display) {
    write_line(&mut io::stdout(), &line);
}

/// Asks a person at a terminal whether something may be done. Where there is none nobody agrees.
pub fn agrees(question: &str) -> bool {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return false;
    }
    let mut asking = io::stderr();
    let asked = asking.write_all(format!("{question} [y/N] ").as_bytes());
    let mut answer = String::new();
    let answered = asked
        .and_then(|()| asking.flush())
        .and_then(|()| io::stdin().read_line(&mut answer));
    let answer = answer.trim().to_ascii_lowercase();
    answered.is_ok() && matches!(answer.as_str(), "y" | "yes")
}

fn write_line(to: &mut impl Write, line: &impl Display) {
    // In one piece, so that two programs on one stream do not cut each other's lines.
    let text = format!("{line}\n");
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// What is logged, on its way to standard error by a thread of its own. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct LogQueue {
    waiting: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Answered once all before it was written.
    Flush(SyncSender<()>),
}

impl LogQueue {
    /// A queue to standard error.
    ///
    /// # Errors
    /// The system gives no thread or no descriptor.
    pub fn start() -> io::Result<Self> {
        // Beside the lock of `io::stderr`: a write that hangs must not hang those who have something else to say.
        Self::to(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn to(stream: impl Write + Send + 'static) -> io::Result<Self> {
        let (waiting, entries) = sync_channel(QUEUE_LENGTH);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_entries(&entries, stream, &counted))?;
        Ok(Self { waiting, lost })
    }

    /// Waits until what was logged before is written, but no longer than this.
    pub fn flush_within(&self, longest: Duration) {
        let (written, heard) = sync_channel(1);
        if self.waiting.try_send(Entry::Flush(written)).is_ok() {
            let _ = heard.recv_timeout(longest);
        }
    }
}

impl Write for LogQueue {
    /// Takes one line; always all of it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self
            .waiting
            .try_send(Entry::Line(in_one_piece(line)))
            .is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of the log, where those within it, as of a backtrace, are seen to be no lines of their own.
fn in_one_piece(line: &[u8]) -> Vec<u8> {
    let (text, end): (&[u8], &[u8]) = match line.split_last() {
        Some((b'\n', text)) => (text, b"\n"),
        _ => (line, b""),
    };
    let mut shown = Vec::with_capacity(line.len());
    for byte in text {
        match byte {
            b'\n' => shown.extend_from_slice(b"\n    | "),
            b'\r' => shown.extend_from_slice(b"\\r"),
            other => shown.push(*other),
        }
    }
    shown.extend_from_slice(end);
    shown
}

/// Writes until the last sender is gone.
fn write_entries(entries: &Receiver<Entry>, mut stream: impl Write, lost: &AtomicU64) {
    for entry in entries {
        match entry {
            Entry::Line(line) => drop(stream.write_all(&line)),
            Entry::Flush(written) => drop(written.try_send(())),
        }
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            // Through the queue like every other, in the format that was asked for.
            lost => tracing::warn!(
                lost,
                "log lines were left out: they came faster than they were read"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::mpsc;

    /// A stream that takes nothing.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    /// A stream that takes a line only when it is let.
    struct Gated(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn what_others_wrote_into_a_line_begins_none_of_its_own() {
        for (line, expected) in [
            ("one\n", "one\n"),
            ("", ""),
            (
                "no such file: a\n2026-01-01T00:00:00Z ERROR forged\n",
                "no such file: a\n    | 2026-01-01T00:00:00Z ERROR forged\n",
            ),
            ("a\rERROR forged\n", "a\\rERROR forged\n"),
        ] {
            assert_eq!(
                in_one_piece(line.as_bytes()),
                expected.as_bytes(),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_stream_that_takes_nothing_ends_nothing() {
        write_line(&mut Full, &"nobody reads this");
        let mut log = LogQueue::to(Full).unwrap();
        for _ in 0..10 {
            log.write_all(b"nor this\n").unwrap();
        }
        // Its thread lives: it still answers.
        let (written, heard) = sync_channel(1);
        log.waiting.send(Entry::Flush(written)).unwrap();
        heard.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn who_logs_does_not_wait_for_a_reader_that_has_stopped() {
        let (let_pass, gate) = mpsc::channel();
        let text = Arc::new(Mutex::new(Vec::new()));
        let mut log = LogQueue::to(Gated(gate, Arc::clone(&text))).unwrap();
        let too_many = QUEUE_LENGTH + 10;
        for _ in 0..too_many {
            log.write_all(b"x\n").unwrap();
        }
        assert!(log.lost.load(Ordering::Relaxed) > 0);
        // The reader reads again: from now on the gate is open.
        drop(let_pass);
        let (written, heard) = sync_channel(1);
        log.waiting.send(Entry::Flush(written)).unwrap();
        heard.recv_timeout(SOON).unwrap();
        let lines = text.lock().len() / 2;
        assert!((QUEUE_LENGTH..too_many).contains(&lines), "{lines}");
    }
}
