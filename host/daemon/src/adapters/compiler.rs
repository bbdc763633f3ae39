//! Compiles plugins, each in a process of its own: this very program, which bounds itself before it reads the component.
//!
//! Invariant: a compile takes nothing from the daemon but a place in the queue: its memory goes back when its process ends,
//! and what a component does to the compiler ends that process alone.
//! Invariant: the process ends with the daemon, however that ends.
//! Invariant: the process inherits no variable but `PATH` and no descriptor but its outputs, which are files that only this
//! user reads; what it says is believed as far as its exit code goes.

use super::{
    environment::ChildEnvironment,
    program::{Program, Remains, Starts},
};
use crate::ports::Clock;
use mainstay_domain::compile_queue::{CompileQueue, CompileTicket};
use mainstay_runtime::{
    compiler::{COMMAND, CompileError, Compiler, MAX_CPU, MAX_MEMORY},
    effects::Boxed,
    own_directory::put_aside,
};
use parking_lot::Mutex;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::Duration,
};
use tokio::sync::Notify;

/// What runs, however the program's file was replaced since.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// How long a compile may take, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(300);
/// Kept of what a compiler says that fails.
const SAID: usize = 2_000;
/// How often it is looked whether there is a place, where nothing rings.
const RELOOK: Duration = Duration::from_secs(1);

/// The exit code of a compiler that refuses the component, and has said why.
const REFUSED: i32 = 1;

/// Compiles side by side, the small first.
pub struct ChildCompiler {
    environment: Arc<ChildEnvironment>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    starts: Starts,
    queue: Mutex<CompileQueue>,
    freed: Notify,
}

impl ChildCompiler {
    /// Its files are in the state directory; what an earlier daemon left of them goes.
    pub fn new(
        state_dir: &Path,
        environment: Arc<ChildEnvironment>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let directory = state_dir.join("compiling");
        if let Err(error) = fs::remove_dir_all(&directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            // It may be no directory, or somebody else's.
            match put_aside(&directory) {
                Ok(aside) => tracing::warn!(
                    directory = %directory.display(),
                    aside = %aside.display(),
                    %error,
                    "what lay where plugins are compiled was put aside"
                ),
                Err(_) => tracing::warn!(
                    directory = %directory.display(),
                    %error,
                    "what lies where plugins are compiled stays there"
                ),
            }
        }
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            environment,
            clock,
            directory,
            starts: Starts::new("compiles"),
            queue: Mutex::new(CompileQueue::new(processors)),
            freed: Notify::new(),
        }
    }

    /// Waits for a place.
    async fn place(&self, size: u64) -> Place<'_> {
        let ticket = self.queue.lock().enter(size);
        let place = Place { of: self, ticket };
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let due = {
                let mut queue = self.queue.lock();
                let now = self.clock.monotonic();
                match queue.start(ticket, now) {
                    true => None,
                    false => Some(queue.due(now).unwrap_or(RELOOK).min(RELOOK)),
                }
            };
            let Some(due) = due else {
                // The next in the line may have a place as well.
                self.freed.notify_waiters();
                return place;
            };
            let _ = tokio::time::timeout(due, freed).await;
        }
    }

    async fn run(&self, files: &Files) -> Result<Vec<u8>, CompileError> {
        let not_started = |error: io::Error| {
            CompileError::Host(format!("its compiler cannot be started: {error}"))
        };
        let (code, said) = (files.path("code"), files.path("said"));
        let mut command = self.environment.bare(THIS_PROGRAM);
        command
            .arg0("mainstay")
            .args([COMMAND, "component", "--daemon"])
            .arg(std::process::id().to_string())
            .current_dir(&files.directory)
            .stdout(private(&code).map_err(not_started)?)
            .stderr(private(&said).map_err(not_started)?);
        let given_up = tokio::time::sleep(LONGEST);
        tokio::pin!(given_up);
        let too_long = || CompileError::Starved(format!("compiling it took more than {LONGEST:?}"));
        let start = move || Program::start(command);
        let program = match self.starts.run(start, &mut given_up).await {
            Ok(started) => started.flatten().map_err(not_started)?,
            Err(()) => return Err(too_long()),
        };
        let ended = program
            .end(std::future::ready(()), given_up, Remains::AreKilled)
            .await;
        let status = match ended {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => {
                return Err(CompileError::Host(format!(
                    "the end of its compiler cannot be awaited: {error}"
                )));
            }
            Err(()) => return Err(too_long()),
        };
        let read = move || match status.success() {
            true => fs::read(&code).map_err(|error| {
                CompileError::Host(format!("what was compiled of it cannot be read: {error}"))
            }),
            false => Err(why(status, &end_of(&said))),
        };
        blocking(read).await
    }
}

impl Compiler for ChildCompiler {
    fn is_apart(&self) -> bool {
        true
    }

    fn compile(&self, component: Arc<[u8]>) -> Boxed<'_, Result<Vec<u8>, CompileError>> {
        Box::pin(async move {
            let _place = self.place(component.len() as u64).await;
            let directory = self.directory.clone();
            let files = blocking(move || {
                Files::make(&directory, &component).map_err(|error| {
                    CompileError::Host(format!(
                        "a copy of it for its compiler cannot be written: {error}"
                    ))
                })
            });
            let files = files.await?;
            self.run(&files).await
        })
    }
}

/// A place in the queue, or in the line for one.
struct Place<'a> {
    of: &'a ChildCompiler,
    ticket: CompileTicket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.queue.lock().leave(self.ticket);
        self.of.freed.notify_waiters();
    }
}

/// The files of one compile, which go with this value.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn make(above: &Path, component: &[u8]) -> io::Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let number = SERIAL.fetch_add(1, Relaxed);
        let files = Self {
            directory: above.join(number.to_string()),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&files.directory)?;
        private(&files.path("component"))?.write_all(component)?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(directory = %self.directory.display(), %error, "the files of a compile are left there");
        }
    }
}

/// A new file that only this user reads.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// The end of what a compiler has said.
fn end_of(said: &Path) -> String {
    let said = fs::read(said).unwrap_or_default();
    let end = said.get(said.len().saturating_sub(SAID)..);
    String::from_utf8_lossy(end.unwrap_or_default())
        .trim()
        .to_owned()
}

/// Why there is no code.
fn why(status: ExitStatus, said: &str) -> CompileError {
    const ABORTED: i32 = 6;
    const PANICKED: i32 = 101;
    const KILLED: i32 = 9;
    const OUT_OF_CPU: i32 = 24;
    // ILL, ABRT, BUS, SEGV: what the component did to the compiler, which it would do again.
    const OF_ITSELF: [i32; 4] = [4, ABORTED, 7, 11];
    let memory = MAX_MEMORY >> 20;
    let fatal = CompileError::Fatal;
    match (status.code(), status.signal()) {
        (Some(REFUSED), _) => CompileError::Component(said.to_owned()),
        // A bug of the compiler's that this component finds, each time.
        (Some(PANICKED), _) => fatal(format!(
            "its compiler broke off (exit code {PANICKED}): {said}"
        )),
        (Some(code), _) => CompileError::Host(format!(
            "its compiler could not do its work (exit code {code}): {said}"
        )),
        (None, Some(OUT_OF_CPU)) => fatal(format!(
            "compiling it took more than {MAX_CPU:?} of CPU time, which a plugin may take"
        )),
        (None, Some(ABORTED)) if said.contains("memory allocation") => fatal(format!(
            "compiling it took more than {memory} MiB of memory, which a plugin may take"
        )),
        (None, Some(KILLED)) => CompileError::Starved(
            "its compiler was killed (signal 9), as where the machine has no memory left"
                .to_owned(),
        ),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            let words = mainstay_domain::signal_words::signal_words(signal);
            let sentence = format!("its compiler broke off ({words}): {said}");
            match OF_ITSELF.contains(&signal) {
                true => fatal(sentence),
                false => CompileError::Ended(sentence),
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CompileError> + Send + 'static,
) -> Result<T, CompileError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CompileError::Host(format!("compiling was interrupted: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_compile_is_said_as_it_was() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let broken = why(exited(1), "type mismatch");
        assert_eq!(broken, CompileError::Component("type mismatch".to_owned()));
        assert!(matches!(why(exited(2), ""), CompileError::Host(_)));
        let panicked = why(exited(101), "index out of bounds");
        assert!(matches!(&panicked, CompileError::Fatal(says) if says.contains("out of bounds")));
        let killed = why(ExitStatus::from_raw(9), "");
        assert!(matches!(&killed, CompileError::Starved(says) if says.contains("no memory left")));
        for (signal, said, words, is_fatal) in [
            (24, "", "120s of CPU time", true),
            (6, "memory allocation of 9 bytes failed", "2048 MiB", true),
            (
                6,
                "thread panicked",
                "signal 6 (SIGABRT)): thread panicked",
                true,
            ),
            (15, "", "signal 15", false),
            (11, "", "signal 11", true),
        ] {
            let error = why(ExitStatus::from_raw(signal), said);
            let as_expected = match is_fatal {
                true => matches!(error, CompileError::Fatal(_)),
                false => matches!(error, CompileError::Ended(_)),
            };
            assert!(as_expected, "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn what_lies_in_the_place_of_the_files_of_compiles_is_put_aside() {
        let state = tempfile::tempdir().unwrap();
        let directory = state.path().join("compiling");
        fs::write(&directory, "mine").unwrap();
        let clock = Arc::new(crate::adapters::clock::SystemClock::new());
        let environment = crate::adapters::environment::without_that_of_the_tests();
        drop(ChildCompiler::new(state.path(), environment, clock));
        let aside = state.path().join("compiling.aside-1");
        assert_eq!(fs::read_to_string(aside).unwrap(), "mine");
        drop(Files::make(&directory, b"bytes").unwrap());
    }

    #[test]
    fn the_files_of_a_compile_go_with_it_and_are_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let files = Files::make(&state.path().join("compiling"), b"bytes").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.path("component")), 0o600);
        assert_eq!(mode(&files.directory), 0o700);
        assert_eq!(mode(&state.path().join("compiling")), 0o700);
        let directory = files.directory.clone();
        drop(files);
        assert!(!directory.exists());
    }
}
